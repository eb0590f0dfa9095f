// SPDX-License-Identifier: GPL-2.0
/*
 * One mm with subscriptions, and the calls that the VM makes for it: through
 * the core in C, through the core in Rust, and through neither (the floor).
 */

#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>

#include "scene.h"

int rust___mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range);
void rust___mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range);
bool rust___mmu_notifier_test_young(struct mm_struct *mm, unsigned long address);
bool rust___mmu_notifier_clear_flush_young(struct mm_struct *mm, unsigned long start,
					   unsigned long end);
void mmn_go_native(void);
bool mmn_mode_is_native(void);

static struct mm_struct *mm;
static struct mmu_notifier_range range;

/*
 * Callbacks that do nothing are measured. Those that count are for a look
 * whether a core makes the calls: their sum would be what each one waits for.
 */
static unsigned long callbacks;

#define CALLBACKS(name, act)							\
static int name##_start(struct mmu_notifier *subscription,			\
			const struct mmu_notifier_range *range)			\
{										\
	act;									\
	return 0;								\
}										\
										\
static void name##_end(struct mmu_notifier *subscription,			\
		       const struct mmu_notifier_range *range)			\
{										\
	act;									\
}										\
										\
static bool name##_clear_flush_young(struct mmu_notifier *subscription,		\
				     struct mm_struct *mm, unsigned long start,	\
				     unsigned long end)				\
{										\
	act;									\
	return false;								\
}										\
										\
static bool name##_test_young(struct mmu_notifier *subscription,		\
			      struct mm_struct *mm, unsigned long address)	\
{										\
	act;									\
	return false;								\
}										\
										\
static bool name##_invalidate(struct mmu_interval_notifier *interval_sub,	\
			      const struct mmu_notifier_range *range,		\
			      unsigned long cur_seq)				\
{										\
	act;									\
	mmu_interval_set_seq(interval_sub, cur_seq);				\
	return true;								\
}										\
										\
static const struct mmu_notifier_ops name##_ops = {				\
	.invalidate_range_start = name##_start,					\
	.invalidate_range_end = name##_end,					\
	.clear_flush_young = name##_clear_flush_young,				\
	.test_young = name##_test_young,					\
};										\
										\
static const struct mmu_interval_notifier_ops name##_interval_ops = {		\
	.invalidate = name##_invalidate,					\
}

CALLBACKS(empty, (void)0);
CALLBACKS(counting, callbacks++);

static unsigned long nr_list_subs, nr_interval_subs;
static struct mmu_notifier *list_subs;
static struct mmu_interval_notifier *interval_subs;

/* What the floor walks: the very objects that the cores walk. */
static struct hlist_head *list;
static struct rb_root_cached intervals = RB_ROOT_CACHED;

/* The least there is: one walk, and one call of each. Nothing protects it. */

static noinline void floor_intervals(struct mmu_notifier_range *range)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&intervals, range->start, range->end - 1);
	     node; node = interval_tree_iter_next(node, range->start, range->end - 1)) {
		struct mmu_interval_notifier *interval_sub =
			container_of(node, struct mmu_interval_notifier, interval_tree);

		interval_sub->ops->invalidate(interval_sub, range, 1);
	}
}

static noinline int floor_start(struct mmu_notifier_range *range)
{
	struct mmu_notifier *subscription;

	if (intervals.rb_leftmost)
		floor_intervals(range);
	hlist_for_each_entry(subscription, list, hlist)
		subscription->ops->invalidate_range_start(subscription, range);
	return 0;
}

static noinline void floor_end(struct mmu_notifier_range *range)
{
	struct mmu_notifier *subscription;

	hlist_for_each_entry(subscription, list, hlist)
		subscription->ops->invalidate_range_end(subscription, range);
}

static noinline bool floor_test_young(struct mm_struct *mm, unsigned long address)
{
	struct mmu_notifier *subscription;

	hlist_for_each_entry(subscription, list, hlist)
		if (subscription->ops->test_young(subscription, mm, address))
			return true;
	return false;
}

static noinline bool floor_clear_flush_young(struct mm_struct *mm, unsigned long start,
					     unsigned long end)
{
	struct mmu_notifier *subscription;
	bool young = false;

	hlist_for_each_entry(subscription, list, hlist)
		young |= subscription->ops->clear_flush_young(subscription, mm, start, end);
	return young;
}

/* One loop for each core and call, all of one shape: the VM calls directly. */
#define CALLERS(core, start_fn, end_fn, test_young_fn, clear_flush_young_fn)	\
static noinline void call_##core##_start_end(unsigned long times)		\
{										\
	while (times--)								\
		if (!start_fn(&range))						\
			end_fn(&range);						\
}										\
										\
static noinline void call_##core##_test_young(unsigned long times)		\
{										\
	while (times--)								\
		test_young_fn(mm, range.start);					\
}										\
										\
static noinline void call_##core##_clear_flush_young(unsigned long times)	\
{										\
	while (times--)								\
		clear_flush_young_fn(mm, range.start, range.end);		\
}

CALLERS(c, __mmu_notifier_invalidate_range_start, __mmu_notifier_invalidate_range_end,
	__mmu_notifier_test_young, __mmu_notifier_clear_flush_young)
CALLERS(rust, rust___mmu_notifier_invalidate_range_start,
	rust___mmu_notifier_invalidate_range_end,
	rust___mmu_notifier_test_young, rust___mmu_notifier_clear_flush_young)
CALLERS(floor, floor_start, floor_end, floor_test_young, floor_clear_flush_young)

static void (*const callers[NR_CORES][NR_CALLS])(unsigned long times) = {
	[CORE_C] = {
		call_c_start_end, call_c_test_young, call_c_clear_flush_young
	},
	[CORE_RUST] = {
		call_rust_start_end, call_rust_test_young, call_rust_clear_flush_young
	},
	[CORE_FLOOR] = {
		call_floor_start_end, call_floor_test_young, call_floor_clear_flush_young
	},
};

void scene_call(enum core core, enum call call, unsigned long times)
{
	callers[core][call](times);
}

/* How often a callback is called in one call of a core. */
unsigned long scene_callbacks(enum core core, enum call call)
{
	unsigned long i;

	callbacks = 0;
	for (i = 0; i < nr_list_subs; i++)
		list_subs[i].ops = &counting_ops;
	for (i = 0; i < nr_interval_subs; i++)
		interval_subs[i].ops = &counting_interval_ops;
	scene_call(core, call, 1);
	for (i = 0; i < nr_list_subs; i++)
		list_subs[i].ops = &empty_ops;
	for (i = 0; i < nr_interval_subs; i++)
		interval_subs[i].ops = &empty_interval_ops;
	return callbacks;
}

void scene_begin(void)
{
	static struct hlist_head empty;

	list = &empty;
	mm = user_alloc(sizeof(*mm));
	atomic_set(&mm->mm_users, 1);
	atomic_set(&mm->mm_count, 1);
	/* locked for writing, for what asserts it */
	atomic_long_set(&mm->mmap_lock.count, 1);

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, 0, PAGE_SIZE);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;

	mmn_go_native();
	if (!mmn_mode_is_native())
		user_fail("the core in Rust is not native");
}

void scene_subscribe_list(unsigned long subscriptions)
{
	unsigned long i;

	nr_list_subs = subscriptions;
	list_subs = user_alloc(subscriptions * sizeof(*list_subs));
	for (i = 0; i < subscriptions; i++) {
		list_subs[i].ops = &empty_ops;
		if (__mmu_notifier_register(&list_subs[i], mm))
			user_fail("a subscription was refused");
	}
	list = container_of(list_subs[subscriptions - 1].hlist.pprev, struct hlist_head, first);
}

/* Every other page has a subscription; the range covers `overlapping` of them. */
void scene_subscribe_intervals(unsigned long subscriptions, unsigned long overlapping)
{
	unsigned long i, first = (subscriptions - overlapping) / 2;
	struct rb_node *node;

	nr_interval_subs = subscriptions;
	interval_subs = user_alloc(subscriptions * sizeof(*interval_subs));
	for (i = 0; i < subscriptions; i++)
		if (mmu_interval_notifier_insert_locked(&interval_subs[i], mm,
							(2 * i + 1) * PAGE_SIZE, PAGE_SIZE,
							&empty_interval_ops))
			user_fail("an interval subscription was refused");

	range.start = 2 * first * PAGE_SIZE;
	range.end = range.start + max(2 * overlapping, 1) * PAGE_SIZE;

	node = &interval_subs[0].interval_tree.rb;
	intervals.rb_leftmost = node;
	while (rb_parent(node))
		node = rb_parent(node);
	intervals.rb_root.rb_node = node;
}
