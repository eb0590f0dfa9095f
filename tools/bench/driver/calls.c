// SPDX-License-Identifier: GPL-2.0
/* Calls of the hooks in a loop, by each path. */
#include <linux/interval_tree.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/rculist.h>

#include "bench.h"

static unsigned long (*lookup_name)(const char *name);
/* What the floors walk; the mutex of the file is held, and one file is at work at a time. */
static struct bench *floor_of;
static const struct way *behind_inline;
static DEFINE_MUTEX(one_at_a_time);

static int empty_start(struct mmu_notifier_range *range)
{
	return 0;
}

static void empty_end(struct mmu_notifier_range *range)
{
}

static bool empty_clear_flush_young(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return false;
}

static bool empty_test_young(struct mm_struct *mm, unsigned long address)
{
	return false;
}

static const struct way empty = {
	empty_start, empty_end, empty_clear_flush_young, empty_test_young,
};

/* As the kernel's header does; its own functions call what is not exported. */

static int inline_start(struct mmu_notifier_range *range)
{
	return mm_has_notifiers(range->mm) ? behind_inline->start(range) : 0;
}

static void inline_end(struct mmu_notifier_range *range)
{
	if (mm_has_notifiers(range->mm))
		behind_inline->end(range);
}

static bool inline_clear_flush_young(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return mm_has_notifiers(mm) && behind_inline->clear_flush_young(mm, start, end);
}

static bool inline_test_young(struct mm_struct *mm, unsigned long address)
{
	return mm_has_notifiers(mm) && behind_inline->test_young(mm, address);
}

static const struct way by_inline = {
	inline_start, inline_end, inline_clear_flush_young, inline_test_young,
};

#define for_each_on_floor(mn) \
	hlist_for_each_entry_rcu(mn, &floor_of->floor_list, hlist, true)

static int floor_start(struct mmu_notifier_range *range)
{
	struct mmu_notifier *mn;
	int result = 0;

	for_each_on_floor(mn)
		if (mn->ops->invalidate_range_start)
			result |= mn->ops->invalidate_range_start(mn, range);
	return result;
}

static void floor_end(struct mmu_notifier_range *range)
{
	struct mmu_notifier *mn;

	for_each_on_floor(mn)
		if (mn->ops->invalidate_range_end)
			mn->ops->invalidate_range_end(mn, range);
}

static bool floor_clear_flush_young(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier *mn;
	bool young = false;

	for_each_on_floor(mn)
		if (mn->ops->clear_flush_young)
			young |= mn->ops->clear_flush_young(mn, mm, start, end);
	return young;
}

static bool floor_test_young(struct mm_struct *mm, unsigned long address)
{
	struct mmu_notifier *mn;

	for_each_on_floor(mn)
		if (mn->ops->test_young && mn->ops->test_young(mn, mm, address))
			return true;
	return false;
}

static const struct way floor_list = {
	floor_start, floor_end, floor_clear_flush_young, floor_test_young,
};

static int floor_tree_start(struct mmu_notifier_range *range)
{
	struct interval_tree_node *node;
	struct mmu_interval_notifier *sub;

	for (node = interval_tree_iter_first(&floor_of->floor_tree, range->start, range->end - 1);
	     node; node = interval_tree_iter_next(node, range->start, range->end - 1)) {
		sub = container_of(node, struct mmu_interval_notifier, interval_tree);
		if (!sub->ops->invalidate(sub, range, 1))
			return -EAGAIN;
	}
	return 0;
}

static const struct way floor_tree = {
	floor_tree_start, empty_end, empty_clear_flush_young, empty_test_young,
};

/* The function of the core in charge, behind livepatch's redirection if `direct`. */
static void *find(const char *name, bool direct)
{
	char rust[KSYM_NAME_LEN];
	unsigned long address = 0;

	if (direct) {
		snprintf(rust, sizeof(rust), "rust_%s", name);
		address = lookup_name(rust);
	}
	return (void *)(address ?: lookup_name(name));
}

static int find_way(struct way *way, bool direct)
{
	way->start = find("__mmu_notifier_invalidate_range_start", direct);
	way->end = find("__mmu_notifier_invalidate_range_end", direct);
	way->clear_flush_young = find("__mmu_notifier_clear_flush_young", direct);
	way->test_young = find("__mmu_notifier_test_young", direct);
	return way->start && way->end && way->clear_flush_young && way->test_young ?
		0 : -ENOENT;
}

int calls_find(struct bench *bench)
{
	bench->ways[BENCH_EMPTY] = empty;
	bench->ways[BENCH_INLINE] = by_inline;
	bench->ways[BENCH_FLOOR_LIST] = floor_list;
	bench->ways[BENCH_FLOOR_TREE] = floor_tree;
	return find_way(&bench->ways[BENCH_LIVE], false) ?:
		find_way(&bench->ways[BENCH_DIRECT], true);
}

static noinline u64 loop_range(const struct way *way, struct mm_struct *mm,
			       const struct bench_calls *work)
{
	struct mmu_notifier_range range;
	u32 left = work->calls;
	u64 begin;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, work->start, work->end);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	begin = ktime_get_ns();
	while (left--) {
		way->start(&range);
		way->end(&range);
	}
	return ktime_get_ns() - begin;
}

static noinline u64 loop_clear_flush_young(const struct way *way, struct mm_struct *mm,
					   const struct bench_calls *work)
{
	u32 left = work->calls;
	u64 begin = ktime_get_ns();

	while (left--)
		way->clear_flush_young(mm, work->start, work->end);
	return ktime_get_ns() - begin;
}

static noinline u64 loop_test_young(const struct way *way, struct mm_struct *mm,
				    const struct bench_calls *work)
{
	u32 left = work->calls;
	u64 begin = ktime_get_ns();

	while (left--)
		way->test_young(mm, work->start);
	return ktime_get_ns() - begin;
}

int calls_run(struct bench *bench, struct bench_calls *work)
{
	static u64 (* const loops[])(const struct way *way, struct mm_struct *mm,
				     const struct bench_calls *work) = {
		[BENCH_START_END] = loop_range,
		[BENCH_CLEAR_FLUSH_YOUNG] = loop_clear_flush_young,
		[BENCH_TEST_YOUNG] = loop_test_young,
	};

	if (work->hook >= ARRAY_SIZE(loops) || work->path >= BENCH_PATHS ||
	    work->start >= work->end)
		return -EINVAL;
	/* The kernel's functions are for address spaces with subscriptions only. */
	if ((work->path == BENCH_LIVE || work->path == BENCH_DIRECT) && !mm_has_notifiers(bench->mm))
		return -ENODATA;
	mutex_lock(&one_at_a_time);
	floor_of = bench;
	behind_inline = &bench->ways[BENCH_LIVE];
	/* One of the locks under which the VM calls the hooks. */
	mmap_read_lock(bench->mm);
	work->ns = loops[work->hook](&bench->ways[work->path], bench->mm, work);
	mmap_read_unlock(bench->mm);
	mutex_unlock(&one_at_a_time);
	return 0;
}

/* The symbol table has no exported way in; a probe, gone at once, tells where that way is. */
int calls_init(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int err = register_kprobe(&probe);

	if (err)
		return err;
	lookup_name = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}
