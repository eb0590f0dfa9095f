// SPDX-License-Identifier: GPL-2.0
/* Subscriptions whose callbacks do nothing, and how long it takes to get and to lose them. */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interval_tree.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "bench.h"

static DECLARE_COMPLETION(stuck);

static struct subscription *subscription_of(struct mmu_notifier *mn)
{
	return container_of(mn, struct subscription, mn);
}

static int nothing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return 0;
}

static void nothing_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
}

static bool nothing_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				      unsigned long start, unsigned long end)
{
	return false;
}

static bool nothing_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long address)
{
	return false;
}

static void nothing_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
}

static void free_subscription(struct mmu_notifier *mn)
{
	struct subscription *subscription = subscription_of(mn);

	if (subscription->freed)
		complete(subscription->freed);
	kfree(subscription);
}

static const struct mmu_notifier_ops nothing = {
	.release = nothing_release,
	.clear_flush_young = nothing_clear_flush_young,
	.test_young = nothing_test_young,
	.invalidate_range_start = nothing_start,
	.invalidate_range_end = nothing_end,
	.free_notifier = free_subscription,
};

static int stuck_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	complete_all(&stuck);
	msleep(subscription_of(mn)->stuck_ms);
	return 0;
}

static const struct mmu_notifier_ops sticky = {
	.invalidate_range_start = stuck_start,
	.free_notifier = free_subscription,
};

static int add_one(struct bench *bench, const struct mmu_notifier_ops *ops, unsigned int ms,
		   u64 *ns)
{
	struct subscription *subscription = kzalloc(sizeof(*subscription), GFP_KERNEL);
	u64 begin;
	int err;

	if (!subscription)
		return -ENOMEM;
	subscription->stuck_ms = ms;
	subscription->mn.ops = ops;
	subscription->floor.ops = ops;
	begin = ktime_get_ns();
	err = mmu_notifier_register(&subscription->mn, bench->mm);
	*ns += ktime_get_ns() - begin;
	if (err) {
		kfree(subscription);
		return err;
	}
	list_add(&subscription->node, &bench->subscriptions);
	hlist_add_head_rcu(&subscription->floor.hlist, &bench->floor_list);
	return 0;
}

int subscriptions_add(struct bench *bench, struct bench_subscriptions *work)
{
	u32 left = work->count;
	int err = 0;

	work->ns = 0;
	while (left-- && !err)
		err = add_one(bench, &nothing, 0, &work->ns);
	return err;
}

static struct subscription *take_newest(struct bench *bench)
{
	struct subscription *subscription;

	subscription = list_first_entry_or_null(&bench->subscriptions, struct subscription, node);
	if (subscription) {
		list_del(&subscription->node);
		hlist_del_rcu(&subscription->floor.hlist);
	}
	return subscription;
}

int subscriptions_unregister(struct bench *bench, struct bench_subscriptions *work)
{
	struct subscription *subscription;
	u32 left = work->count;
	u64 begin;

	work->ns = 0;
	while (left--) {
		subscription = take_newest(bench);
		if (!subscription)
			return -ENOENT;
		begin = ktime_get_ns();
		mmu_notifier_unregister(&subscription->mn, bench->mm);
		work->ns += ktime_get_ns() - begin;
		kfree(subscription);
	}
	return 0;
}

int subscriptions_put_one(struct bench *bench, struct bench_put *work)
{
	DECLARE_COMPLETION_ONSTACK(freed);
	struct subscription *subscription = take_newest(bench);
	u64 begin;

	if (!subscription)
		return -ENOENT;
	subscription->freed = &freed;
	begin = ktime_get_ns();
	mmu_notifier_put(&subscription->mn);
	work->ns_returned = ktime_get_ns() - begin;
	wait_for_completion(&freed);
	work->ns_freed = ktime_get_ns() - begin;
	return 0;
}

int subscriptions_stick(struct bench *bench, unsigned int ms)
{
	u64 ns = 0;

	reinit_completion(&stuck);
	return add_one(bench, &sticky, ms, &ns);
}

int subscriptions_wait_stuck(void)
{
	return wait_for_completion_killable(&stuck);
}

/* By put, which does not wait: how long a process takes to exit is to be the core's time alone. */
void subscriptions_drop(struct bench *bench)
{
	struct subscription *subscription;

	while ((subscription = take_newest(bench)))
		mmu_notifier_put(&subscription->mn);
}

static bool nothing_invalidate(struct mmu_interval_notifier *sub,
			       const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	mmu_interval_set_seq(sub, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops nothing_interval = {
	.invalidate = nothing_invalidate,
};

int intervals_add(struct bench *bench, struct bench_intervals *work)
{
	u64 begin;
	u32 i;
	int err;

	if (bench->intervals)
		return -EBUSY;
	bench->intervals = kvcalloc(work->count, sizeof(*bench->intervals), GFP_KERNEL);
	if (!bench->intervals)
		return -ENOMEM;
	for (i = 0; i < work->count; i++) {
		struct interval *interval = &bench->intervals[i];
		unsigned long start = work->base + i * work->stride;

		begin = ktime_get_ns();
		err = mmu_interval_notifier_insert(&interval->sub, bench->mm, start, work->length,
						   &nothing_interval);
		work->ns = ktime_get_ns() - begin;
		if (err)
			return err;
		interval->floor.ops = &nothing_interval;
		interval->floor.interval_tree.start = start;
		interval->floor.interval_tree.last = start + work->length - 1;
		interval_tree_insert(&interval->floor.interval_tree, &bench->floor_tree);
		bench->interval_count++;
	}
	return 0;
}

void intervals_drop(struct bench *bench)
{
	while (bench->interval_count)
		mmu_interval_notifier_remove(&bench->intervals[--bench->interval_count].sub);
	kvfree(bench->intervals);
}
