// SPDX-License-Identifier: GPL-2.0
/*
 * What a core that is part of the kernel defines for the others, in the place
 * of mm/mmu_notifier.c.
 */

#include <linux/export.h>
#include <linux/init.h>
#include <linux/lockdep.h>
#include <linux/mmu_notifier.h>
#include <linux/panic.h>
#include <linux/srcu.h>

#include "../internal.h"
#include "builtin.h"
#include "private.h"

#ifdef CONFIG_LOCKDEP
struct lockdep_map __mmu_notifier_invalidate_range_start_map = {
	.name = "mmu_notifier_invalidate_range_start"
};
#endif

DEFINE_STATIC_SRCU(mmn_srcu);
struct srcu_struct *const mmn_global_srcu = &mmn_srcu;

int mmn_mm_take_all_locks(struct mm_struct *mm)
{
	return mm_take_all_locks(mm);
}

void mmn_mm_drop_all_locks(struct mm_struct *mm)
{
	mm_drop_all_locks(mm);
}

/* Before drivers can subscribe and user space can be subscribed to. */
static int __init mmu_notifier_rust_init(void)
{
	if (mmn_builtin_init())
		panic("mmu_notifier: no memory at boot\n");
	return 0;
}
core_initcall(mmu_notifier_rust_init);

static int __init mmu_notifier_rust_late_init(void)
{
	mmn_builtin_late_init();
	return 0;
}
late_initcall(mmu_notifier_rust_late_init);

EXPORT_SYMBOL_GPL(__mmu_notifier_register);
EXPORT_SYMBOL_GPL(mmu_notifier_register);
EXPORT_SYMBOL_GPL(mmu_notifier_unregister);
EXPORT_SYMBOL_GPL(mmu_notifier_get_locked);
EXPORT_SYMBOL_GPL(mmu_notifier_put);
EXPORT_SYMBOL_GPL(mmu_notifier_synchronize);
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert);
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert_locked);
EXPORT_SYMBOL_GPL(mmu_interval_notifier_remove);
EXPORT_SYMBOL_GPL(mmu_interval_read_begin);
