// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/mmu_notifier_attach: who has it open has subscribers that see all of its
 * memory, and nothing else of it changes. They count what they are told.
 *
 * counts: what was counted since it was last written to, one "name number" a line
 */

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

/* A list subscription that is told of ranges must not ask for TLB flushes: those have their own. */
struct attach {
	struct mmu_notifier ranges;
	struct mmu_notifier flushes;
	struct mmu_interval_notifier interval;
	/* Of interval: guards its sequence. Never slept on, so that no range is refused. */
	spinlock_t user_lock;
	atomic_long_t active;
	atomic_long_t starts;
	atomic_long_t invalidations;
	atomic_t releases;
};

#define ATTACH_EVENTS	16

enum attach_count {
	ATTACH_OPENED,
	ATTACH_REGISTER,
	ATTACH_RELEASE,
	ATTACH_CLEAR_FLUSH_YOUNG,
	ATTACH_CLEAR_YOUNG,
	ATTACH_TEST_YOUNG,
	ATTACH_RANGE_START,
	ATTACH_RANGE_END,
	ATTACH_SECONDARY_TLBS,
	ATTACH_INVALIDATE,
	ATTACH_NONBLOCKABLE,
	/* Allowed: exit empties the list while others are between a start and its end. */
	ATTACH_UNENDED,
	/* What must never be. */
	ATTACH_END_WITHOUT_START,
	ATTACH_START_WITHOUT_INVALIDATE,
	ATTACH_NOT_RELEASED_ONCE,
	ATTACH_EVENT_UNKNOWN,
	ATTACH_COUNTS
};

static const char *const attach_names[ATTACH_COUNTS] = {
	"opened", "register", "release", "clear_flush_young", "clear_young", "test_young",
	"invalidate_range_start", "invalidate_range_end", "arch_invalidate_secondary_tlbs",
	"invalidate", "nonblockable", "unended", "wrong.end_without_start",
	"wrong.start_without_invalidate", "wrong.not_released_once", "wrong.event_unknown",
};

static atomic_long_t attach_counts[ATTACH_COUNTS];
static atomic_long_t attach_starts[ATTACH_EVENTS];
static atomic_long_t attach_invalidations[ATTACH_EVENTS];

static void attach_count(enum attach_count what)
{
	atomic_long_inc(&attach_counts[what]);
}

static void attach_count_event(atomic_long_t *counts, unsigned int event)
{
	if (event < ATTACH_EVENTS)
		atomic_long_inc(&counts[event]);
	else
		attach_count(ATTACH_EVENT_UNKNOWN);
}

static void attach_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct attach *attach = container_of(mn, struct attach, ranges);

	attach_count(ATTACH_RELEASE);
	atomic_inc(&attach->releases);
}

static void attach_flushes_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	attach_count(ATTACH_RELEASE);
}

static bool attach_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				     unsigned long start, unsigned long end)
{
	attach_count(ATTACH_CLEAR_FLUSH_YOUNG);
	return false;
}

static bool attach_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long start, unsigned long end)
{
	attach_count(ATTACH_CLEAR_YOUNG);
	return false;
}

static bool attach_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			      unsigned long address)
{
	attach_count(ATTACH_TEST_YOUNG);
	return false;
}

static int attach_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct attach *attach = container_of(mn, struct attach, ranges);

	atomic_long_inc(&attach->active);
	atomic_long_inc(&attach->starts);
	attach_count(ATTACH_RANGE_START);
	attach_count_event(attach_starts, range->event);
	if (!mmu_notifier_range_blockable(range))
		attach_count(ATTACH_NONBLOCKABLE);
	return 0;
}

static void attach_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct attach *attach = container_of(mn, struct attach, ranges);

	if (atomic_long_dec_return(&attach->active) < 0)
		attach_count(ATTACH_END_WITHOUT_START);
	attach_count(ATTACH_RANGE_END);
}

static void attach_secondary_tlbs(struct mmu_notifier *mn, struct mm_struct *mm,
				  unsigned long start, unsigned long end)
{
	attach_count(ATTACH_SECONDARY_TLBS);
}

static bool attach_invalidate(struct mmu_interval_notifier *sub,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct attach *attach = container_of(sub, struct attach, interval);

	spin_lock(&attach->user_lock);
	mmu_interval_set_seq(sub, cur_seq);
	spin_unlock(&attach->user_lock);
	atomic_long_inc(&attach->invalidations);
	attach_count(ATTACH_INVALIDATE);
	attach_count_event(attach_invalidations, range->event);
	return true;
}

static const struct mmu_notifier_ops attach_ranges_ops = {
	.release = attach_release,
	.clear_flush_young = attach_clear_flush_young,
	.clear_young = attach_clear_young,
	.test_young = attach_test_young,
	.invalidate_range_start = attach_range_start,
	.invalidate_range_end = attach_range_end,
};

static const struct mmu_notifier_ops attach_flushes_ops = {
	.release = attach_flushes_release,
	.arch_invalidate_secondary_tlbs = attach_secondary_tlbs,
};

static const struct mmu_interval_notifier_ops attach_interval_ops = {
	.invalidate = attach_invalidate,
};

/* The interval comes first and goes last: it must have seen all that the list has. */
static int attach_open(struct inode *inode, struct file *file)
{
	struct mm_struct *mm = current->mm;
	struct attach *attach;
	int ret;

	attach = kzalloc_obj(*attach);
	if (!attach)
		return -ENOMEM;
	spin_lock_init(&attach->user_lock);
	attach->ranges.ops = &attach_ranges_ops;
	attach->flushes.ops = &attach_flushes_ops;
	ret = mmu_interval_notifier_insert(&attach->interval, mm, 0, ULONG_MAX,
					   &attach_interval_ops);
	if (ret)
		goto free;
	ret = mmu_notifier_register(&attach->ranges, mm);
	if (ret)
		goto remove;
	ret = mmu_notifier_register(&attach->flushes, mm);
	if (ret)
		goto unregister;
	attach_count(ATTACH_OPENED);
	atomic_long_add(3, &attach_counts[ATTACH_REGISTER]);
	file->private_data = attach;
	return 0;

unregister:
	mmu_notifier_unregister(&attach->ranges, mm);
remove:
	mmu_interval_notifier_remove(&attach->interval);
free:
	kfree(attach);
	return ret;
}

static int attach_close(struct inode *inode, struct file *file)
{
	struct attach *attach = file->private_data;
	long active;

	mmu_notifier_unregister(&attach->flushes, attach->flushes.mm);
	mmu_notifier_unregister(&attach->ranges, attach->ranges.mm);
	mmu_interval_notifier_remove(&attach->interval);
	active = atomic_long_read(&attach->active);
	if (active > 0)
		atomic_long_add(active, &attach_counts[ATTACH_UNENDED]);
	if (atomic_long_read(&attach->starts) > atomic_long_read(&attach->invalidations))
		attach_count(ATTACH_START_WITHOUT_INVALIDATE);
	if (atomic_read(&attach->releases) != 1)
		attach_count(ATTACH_NOT_RELEASED_ONCE);
	kfree(attach);
	return 0;
}

static const struct file_operations attach_fops = {
	.owner = THIS_MODULE,
	.open = attach_open,
	.release = attach_close,
};

static struct miscdevice attach_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mmu_notifier_attach",
	.fops = &attach_fops,
	.mode = 0666,
};

static int attach_show(char *buffer, const struct kernel_param *param)
{
	int length = 0;

	for (unsigned int i = 0; i < ATTACH_COUNTS; i++)
		length += sysfs_emit_at(buffer, length, "%s %ld\n", attach_names[i],
					atomic_long_read(&attach_counts[i]));
	for (unsigned int i = 0; i < ATTACH_EVENTS; i++)
		length += sysfs_emit_at(buffer, length, "start.%u %ld\ninvalidate.%u %ld\n",
					i, atomic_long_read(&attach_starts[i]),
					i, atomic_long_read(&attach_invalidations[i]));
	return length;
}

static int attach_forget(const char *buffer, const struct kernel_param *param)
{
	for (unsigned int i = 0; i < ATTACH_COUNTS; i++)
		atomic_long_set(&attach_counts[i], 0);
	for (unsigned int i = 0; i < ATTACH_EVENTS; i++) {
		atomic_long_set(&attach_starts[i], 0);
		atomic_long_set(&attach_invalidations[i], 0);
	}
	return 0;
}

static const struct kernel_param_ops attach_counts_ops = {
	.get = attach_show,
	.set = attach_forget,
};
module_param_cb(counts, &attach_counts_ops, NULL, 0644);

module_misc_device(attach_device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Subscribers that only count, for programs that have none");
