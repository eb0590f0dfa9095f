/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/emm: what a single-callback notifier is told
 *
 * An open file subscribes to the memory of the process that opened it and
 * records its calls: the operation and the range.  A child of that process
 * reads the record of its parent's memory, also when the parent is gone.
 *
 * Errors of every ioctl: ENOTTY for an unknown number, EFAULT for an argument
 * that cannot be read or written.  An ioctl that fails changes nothing.
 * open() fails with EINTR when a signal came, and with ENOMEM.
 */
#ifndef _SAMPLES_EMM_H
#define _SAMPLES_EMM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EMM_RELEASE		0	/* the address space dies */
#define EMM_INVALIDATE_START	1
#define EMM_INVALIDATE_END	2
#define EMM_REFERENCED		3	/* tests and clears the accessed state */
#define EMM_OPERATIONS		4

#define EMM_RECORDS	1024	/* the latest calls that are kept */

/* The invalidation may sleep. */
#define EMM_BLOCKABLE	1

/* One call. */
struct emm_record {
	__u64 order;		/* counts the calls recorded, from 0 */
	__u64 start;
	__u64 end;		/* exclusive */
	__u64 operation;
	__u64 flags;
};

/* EMM_WATCH: records only calls that touch a range, and starts anew.
 *
 * Drops the records and sets the counts to zero.  EMM_RELEASE is recorded
 * whatever the range; a new file watches everything.
 *
 * EINVAL  @end is not above @start
 */
struct emm_watch {
	__u64 start;
	__u64 end;
};

/* EMM_READ: takes the oldest records out, at most @count.
 *
 * @records: where they go
 * @count: how many there is room for; then how many came
 * @lost: how many calls were not kept for want of room, since EMM_WATCH
 *
 * EINVAL  @count zero or above EMM_RECORDS
 * EFAULT  @records cannot be written
 * ENOMEM
 */
struct emm_read {
	__u64 records;
	__u32 count;
	__u32 lost;
};

/* EMM_COUNTS: calls since EMM_WATCH. */
struct emm_counts {
	__u64 calls[EMM_OPERATIONS];
	__u64 active;		/* ranges that started and have not ended */
	__u64 unpaired;		/* ends whose start did not come */
};

#define EMM_WATCH	_IOW(0xB8, 0, struct emm_watch)
#define EMM_READ	_IOWR(0xB8, 1, struct emm_read)
#define EMM_COUNTS	_IOR(0xB8, 2, struct emm_counts)
/* What EMM_REFERENCED answers from now on: 0 no, 1 yes; EINVAL else. */
#define EMM_ANSWER	_IO(0xB8, 3)

#endif /* _SAMPLES_EMM_H */
