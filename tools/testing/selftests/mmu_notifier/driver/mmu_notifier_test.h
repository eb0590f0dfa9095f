/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the test driver. A session owns its slots; a slot owns its
 * notifiers. The session is counted: one for the open file and one for each
 * notifier the core still has to free, because that may come later.
 */
#ifndef MMU_NOTIFIER_TEST_H
#define MMU_NOTIFIER_TEST_H

#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "mmu_notifier_test_uapi.h"

#define MNT_OPEN_RANGES	128

struct mnt_session;
struct mnt_slot;

enum mnt_kind { MNT_FREE_SLOT, MNT_LIST, MNT_COUNTED, MNT_INTERVAL };

struct mnt_object {
	struct mmu_notifier mn;
	struct mnt_slot *slot;
	struct list_head node;		/* in mnt_slot.objects */
	unsigned int number;
	unsigned int puts_due;		/* under mnt_session.lock */
	bool freed;
};

struct mnt_open_range {
	struct task_struct *task;
	unsigned long start;
	unsigned long end;
};

struct mnt_slot {
	struct mnt_session *session;
	unsigned int index;
	enum mnt_kind kind;		/* under mnt_session.mutex */
	struct mnt_behave behave;

	struct mmu_notifier_ops ops;
	struct mnt_object *object;	/* the newest */
	struct list_head objects;	/* under mnt_session.lock */
	unsigned int numbers;

	struct mmu_interval_notifier interval;
	struct mutex user_lock;
	bool removing;			/* under mnt_session.mutex */

	/* under mnt_session.lock */
	u64 seen[MNT_HOOKS];
	u64 starts, ends, orphans, lost;
	unsigned int open;
	struct mnt_open_range ranges[MNT_OPEN_RANGES];
};

struct mnt_session {
	struct kref ref;
	struct mutex mutex;
	spinlock_t lock;
	wait_queue_head_t wait;
	bool open_all;
	bool let_go;
	bool synchronized;
	struct mm_struct *kept;
	atomic_t unfreed;		/* put for the last time, not yet freed */
	u64 order;
	u32 nr_events;
	u32 max_events;
	u32 lost;
	struct mnt_event *events;
	struct mnt_slot slots[MNT_SLOTS];
};

/* What a callback tells about itself. */
struct mnt_call {
	enum mnt_hook hook;
	unsigned long start;
	unsigned long end;
	unsigned long seq;
	unsigned int event;
	bool blockable;
	bool owned;
	unsigned int object;
};

void mnt_session_put(struct mnt_session *session);

/* record.c */
bool mnt_refuses(const struct mnt_slot *slot, const struct mnt_call *call);
void mnt_returned(struct mnt_slot *slot, unsigned int cmd, int ret);
void mnt_enter(struct mnt_slot *slot, const struct mnt_call *call, int ret);
void mnt_range_started(struct mnt_slot *slot, unsigned long start,
		       unsigned long end);
void mnt_range_ended(struct mnt_slot *slot, unsigned long start,
		     unsigned long end);
long mnt_drain(struct mnt_session *session, struct mnt_drain *drain);
long mnt_wait(struct mnt_session *session, const struct mnt_wait *wait);
void mnt_counts(struct mnt_slot *slot, struct mnt_counts *counts);

/* hlist.c */
long mnt_register(struct mnt_slot *slot, struct mnt_add *add);
long mnt_unregister(struct mnt_slot *slot);
long mnt_get(struct mnt_slot *slot, struct mnt_add *add);
long mnt_put(struct mnt_slot *slot);
long mnt_synchronize(struct mnt_session *session);
void mnt_list_close(struct mnt_slot *slot);
void mnt_objects_free(struct mnt_slot *slot);

/* interval.c */
long mnt_insert(struct mnt_slot *slot, struct mnt_add *add);
long mnt_remove(struct mnt_slot *slot);
long mnt_read_begin(struct mnt_slot *slot, struct mnt_read *read);
long mnt_read_retry(struct mnt_slot *slot, struct mnt_read *read);

/* state.c */
long mnt_state(struct mnt_session *session, struct mnt_state *state);
long mnt_set_seq(u64 seq);
long mnt_repair(struct mnt_slot *slot);
long mnt_set_users(struct mnt_slot *slot, unsigned int users);

#endif
