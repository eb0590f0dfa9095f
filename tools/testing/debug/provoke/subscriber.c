// SPDX-License-Identifier: GPL-2.0
/* A driver whose callback breaks the rules in a way that need not hang this time. */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "provoke.h"

/* Waiting for memory can be waiting for this very callback. */
static int allocate(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	char *memory = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(memory);
	kfree(memory);
	return 0;
}

static DEFINE_MUTEX(of_the_driver);

static int lock(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&of_the_driver);
	mutex_unlock(&of_the_driver);
	return 0;
}

static const struct mmu_notifier_ops allocates = { .invalidate_range_start = allocate };
static const struct mmu_notifier_ops locks = { .invalidate_range_start = lock };

static void invalidate(void)
{
	unsigned long area = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	if (!IS_ERR_VALUE(area))
		vm_munmap(area, PAGE_SIZE);
}

void allocate_in_callback(void)
{
	struct mmu_notifier mn = { .ops = &allocates };

	if (mmu_notifier_register(&mn, current->mm))
		return;
	invalidate();
	mmu_notifier_unregister(&mn, current->mm);
}

/* An unregister waits for callbacks, and holds what they take. */
void unregister_with_callbacks_lock(void)
{
	struct mmu_notifier mn = { .ops = &locks };

	if (mmu_notifier_register(&mn, current->mm))
		return;
	invalidate();
	mutex_lock(&of_the_driver);
	mmu_notifier_unregister(&mn, current->mm);
	mutex_unlock(&of_the_driver);
}
