/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own that it does not export: the module gets them by livepatch
 * relocations, a core that is built in by builtin.c.
 */
#ifndef MMN_PRIVATE_H
#define MMN_PRIVATE_H

#include <linux/mm_types.h>
#include <linux/srcu.h>

/* What a compatible core registers with; mm/vma.c. */
int mmn_mm_take_all_locks(struct mm_struct *mm);
void mmn_mm_drop_all_locks(struct mm_struct *mm);

/* The domain that all readers and waiters can share. */
extern struct srcu_struct *const mmn_global_srcu;

#endif /* MMN_PRIVATE_H */
