/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The commands of /dev/mmu_notifier_test, a driver that subscribes the mm of
 * the calling process to MMU notifiers and records what it is told.
 *
 * An open file is a session: MNT_SLOTS subscriptions, one record of events.
 * It may be shared through fork(); a parent can so act on the subscriptions
 * of its child, alive or dead.
 */
#ifndef MMU_NOTIFIER_TEST_UAPI_H
#define MMU_NOTIFIER_TEST_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MNT_SLOTS	96
#define MNT_EVENTS_MAX	4096

/* What an event is about: a callback, or the return of a command. */
enum mnt_hook {
	MNT_RELEASE,
	MNT_CLEAR_FLUSH_YOUNG,
	MNT_CLEAR_YOUNG,
	MNT_TEST_YOUNG,
	MNT_RANGE_START,
	MNT_RANGE_END,
	MNT_SECONDARY_TLBS,
	MNT_ALLOC,
	MNT_FREE,
	MNT_INVALIDATE,
	MNT_INVALIDATE_START,
	MNT_INVALIDATE_FINISH,
	MNT_RETURNED,
	MNT_HOOKS,
};

#define MNT_BIT(hook)	(1u << (hook))

enum mnt_phase {
	MNT_ENTER,
	/* a callback that found its gate shut leaves */
	MNT_LEAVE,
};

/**
 * struct mnt_event - one line of the record
 * @order: counts up over the whole session
 * @start: of the range the callback was given
 * @end: of the range, exclusive
 * @seq: the sequence an interval callback was given
 * @slot: the subscription
 * @hook: enum mnt_hook
 * @phase: enum mnt_phase
 * @event: enum mmu_notifier_event, or the command's number for MNT_RETURNED
 * @blockable: whether the callback may sleep
 * @ret: what the callback or the command returned
 * @tid: the thread, as the initial pid namespace numbers it
 * @object: which of the slot's notifiers, counted from 1
 * @owned: whether the range has an owner
 * @pad: zero
 */
struct mnt_event {
	__u64 order;
	__u64 start;
	__u64 end;
	__u64 seq;
	__u32 slot;
	__u32 hook;
	__u32 phase;
	__u32 event;
	__u32 blockable;
	__s32 ret;
	__s32 tid;
	__u32 object;
	__u32 owned;
	__u32 pad;
};

/* struct mnt_add flags */
#define MNT_LOCKED	(1u << 0)	/* the variant under the mmap lock */
#define MNT_SIGUSR1	(1u << 1)	/* with this signal pending */
#define MNT_SIGKILL	(1u << 2)
#define MNT_TWO_PASS	(1u << 3)	/* interval: start and finish passes */
#define MNT_KEPT_MM	(1u << 4)	/* interval: on the mm of MNT_KEEP_MM */

/**
 * struct mnt_add - MNT_REGISTER, MNT_GET and MNT_INSERT
 * @slot: (in) must be free, or of MNT_GET before
 * @flags: (in) above
 * @ops: (in) MNT_BIT() of the callbacks to implement
 * @object: (out) which notifier MNT_GET found or made
 * @users: (out) its count of users
 * @start: (in) of the interval
 * @length: (in) of the interval
 */
struct mnt_add {
	__u32 slot;
	__u32 flags;
	__u32 ops;
	__u32 object;
	__u32 users;
	__u32 pad;
	__u64 start;
	__u64 length;
};

/* struct mnt_behave flags */
#define MNT_PUT_IN_RELEASE	(1u << 0)
#define MNT_NO_FINISH		(1u << 1) /* start pass asks for no finish pass */
#define MNT_FINISH_AND_FAIL	(1u << 2) /* asks for it, and fails */
#define MNT_FAIL_BLOCKABLE	(1u << 3) /* EAGAIN though it may sleep: a bug */
#define MNT_FAIL_ALLOC		(1u << 4)
#define MNT_SLOW_FREE		(1u << 5) /* free spins until MNT_SYNCHRONIZE is back */
#define MNT_GATE_LIVING		(1u << 6) /* gates let exiting tasks through */
#define MNT_GATE_EXITING	(1u << 7) /* gates let all others through */

/**
 * struct mnt_behave - MNT_BEHAVE, also for a slot not in use yet
 * @slot: (in)
 * @flags: (in) above
 * @gates: (in) MNT_BIT() of the callbacks that wait for MNT_OPEN
 * @eagain: (in) MNT_BIT() of those that refuse a range they may not sleep on
 * @young: (in) MNT_BIT() of those that answer "young"
 * @limit: (in) milliseconds after which a gate lets a callback through, 0 for never
 * @start: (in) gates, refusals and record heed only ranges that intersect
 * @end: (in) start to end, exclusive
 */
struct mnt_behave {
	__u32 slot;
	__u32 flags;
	__u32 gates;
	__u32 eagain;
	__u32 young;
	__u32 limit;
	__u64 start;
	__u64 end;
};

/**
 * struct mnt_read - MNT_READ_BEGIN and MNT_READ_RETRY
 * @slot: (in)
 * @retry: (out) whether the reader has collided
 * @seq: (out, in)
 */
struct mnt_read {
	__u32 slot;
	__u32 retry;
	__u64 seq;
};

/**
 * struct mnt_wait - MNT_WAIT sleeps until a callback has come so often
 * @slot: (in)
 * @hook: (in)
 * @count: (in)
 */
struct mnt_wait {
	__u32 slot;
	__u32 hook;
	__u64 count;
};

/**
 * struct mnt_drain - MNT_DRAIN moves the record to user space, or its beginning
 * @events: (in) pointer to an array of MNT_EVENTS_MAX
 * @count: (out)
 * @lost: (out) events that found the record full
 */
struct mnt_drain {
	__u64 events;
	__u32 count;
	__u32 lost;
};

/**
 * struct mnt_counts - MNT_COUNTS, whatever the window but for @seen
 * @slot: (in)
 * @open: (out) starts still without their end
 * @starts: (out) that were not refused
 * @ends: (out)
 * @orphans: (out) ends without a start
 * @lost: (out) starts that found the table of open ranges full
 * @seen: (out) how often each callback was recorded
 */
struct mnt_counts {
	__u32 slot;
	__u32 open;
	__u64 starts;
	__u64 ends;
	__u64 orphans;
	__u64 lost;
	__u64 seen[MNT_HOOKS];
};

/**
 * struct mnt_state - MNT_STATE, the core's private state of an mm
 * @slot: (in) whose mm, or MNT_SLOTS for the caller's
 * @present: (out) whether the mm has such a state at all; if not, 0 below
 * @has_itree: (out)
 * @subscriptions: (out) length of the list
 * @intervals: (out) in the tree
 * @deferred: (out) length of the deferred list
 * @invalidate_seq: (out)
 * @active_invalidate_ranges: (out)
 * @sub_seq: (out) the slot's own sequence
 * @users: (out) the slot's count of users
 */
struct mnt_state {
	__u32 slot;
	__u32 present;
	__u32 has_itree;
	__u32 subscriptions;
	__u32 intervals;
	__u32 deferred;
	__u64 invalidate_seq;
	__u64 active_invalidate_ranges;
	__u64 sub_seq;
	__u32 users;
	__u32 pad;
};

#define MNT_REGISTER	_IOWR('n', 0x00, struct mnt_add)
#define MNT_UNREGISTER	_IO('n', 0x01)		/* slot */
#define MNT_GET		_IOWR('n', 0x02, struct mnt_add)
#define MNT_PUT		_IO('n', 0x03)		/* slot */
#define MNT_INSERT	_IOWR('n', 0x04, struct mnt_add)
#define MNT_REMOVE	_IO('n', 0x05)		/* slot */
#define MNT_READ_BEGIN	_IOWR('n', 0x06, struct mnt_read)
#define MNT_READ_RETRY	_IOWR('n', 0x07, struct mnt_read)
/* mmu_notifier_synchronize(); returns how many frees are pending after it */
#define MNT_SYNCHRONIZE	_IO('n', 0x08)

#define MNT_BEHAVE	_IOW('n', 0x10, struct mnt_behave)
#define MNT_OPEN	_IO('n', 0x11)		/* slot: all its gates */
#define MNT_OPEN_ALL	_IO('n', 0x12)		/* for good: the way out of a failed test */
#define MNT_WAIT	_IOW('n', 0x13, struct mnt_wait)
#define MNT_DRAIN	_IOWR('n', 0x14, struct mnt_drain)
#define MNT_COUNTS	_IOWR('n', 0x15, struct mnt_counts)
/* sleeps, deaf to signals, until MNT_LET_GO */
#define MNT_HOLD	_IO('n', 0x17)
#define MNT_LET_GO	_IO('n', 0x18)

#define MNT_STATE	_IOWR('n', 0x20, struct mnt_state)
#define MNT_SET_SEQ	_IOW('n', 0x21, __u64)	/* of the caller's mm */
#define MNT_SET_USERS	_IOW('n', 0x22, struct mnt_state) /* slot, users */
#define MNT_KEEP_MM	_IO('n', 0x23)		/* pin the caller's mm_struct */
/*
 * slot: ends the ranges of its mm that the core will never end itself, so that
 * a test of such a core can go on; returns how many
 */
#define MNT_REPAIR	_IO('n', 0x24)

#endif
