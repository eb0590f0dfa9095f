/* SPDX-License-Identifier: GPL-2.0 */
/* What an open file of the driver holds. */
#ifndef MMU_NOTIFIER_BENCH_H
#define MMU_NOTIFIER_BENCH_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

#include "mmu_notifier_bench_uapi.h"

/* The entry points of one way to call the core. */
struct way {
	int (*start)(struct mmu_notifier_range *range);
	void (*end)(struct mmu_notifier_range *range);
	bool (*clear_flush_young)(struct mm_struct *mm, unsigned long start, unsigned long end);
	bool (*test_young)(struct mm_struct *mm, unsigned long address);
};

struct bench {
	struct mutex lock;
	struct mm_struct *mm;
	struct way ways[BENCH_PATHS];

	/* Registered, newest first, and as many that only the floor knows. */
	struct list_head subscriptions;
	struct hlist_head floor_list;

	struct interval *intervals;
	unsigned int interval_count;
	struct rb_root_cached floor_tree;
};

struct subscription {
	struct mmu_notifier mn;
	struct mmu_notifier floor;
	struct list_head node;
	struct completion *freed;
	unsigned int stuck_ms;
};

struct interval {
	struct mmu_interval_notifier sub;
	struct mmu_interval_notifier floor;
};

int calls_init(void);
int calls_find(struct bench *bench);
int calls_run(struct bench *bench, struct bench_calls *work);

int subscriptions_add(struct bench *bench, struct bench_subscriptions *work);
int subscriptions_unregister(struct bench *bench, struct bench_subscriptions *work);
int subscriptions_put_one(struct bench *bench, struct bench_put *work);
int subscriptions_stick(struct bench *bench, unsigned int ms);
int subscriptions_wait_stuck(void);
void subscriptions_drop(struct bench *bench);

int intervals_add(struct bench *bench, struct bench_intervals *work);
void intervals_drop(struct bench *bench);

int flavours_init(void);
void flavours_exit(void);
int flavours_run(struct bench_srcu *work);
void flavours_sizes(struct bench_sizes *sizes);

#endif
