/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/gru: contexts with a software TLB over a process's memory
 *
 * One open file is one context.  It works on the memory of the process that
 * opened it, also when a child of that process uses it; the structures and
 * arrays that an ioctl names are the caller's.
 *
 * Errors of every ioctl: ENOTTY for an unknown number, EFAULT for an argument
 * that cannot be read or written.  An ioctl that fails changes nothing, but
 * for GRU_RUN, which tells in @done and in each @status how far it came.
 */
#ifndef _SAMPLES_GRU_H
#define _SAMPLES_GRU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* How the TLB follows the address space. */
#define GRU_MODEL_RANGE	0	/* refuses drop-ins while a range is active */
#define GRU_MODEL_FLUSH	1	/* drops what the processors' TLBs drop */

#define GRU_TLB_MAX	4096	/* entries of the largest TLB */
#define GRU_TLB_DEFAULT	64
#define GRU_COUNT_MAX	4096	/* instructions of one GRU_RUN */
#define GRU_LENGTH_MAX	(1ULL << 30)	/* bytes of one instruction */
#define GRU_PEEK_MAX	65536	/* bytes of one GRU_PEEK */

/* GRU_CONFIGURE: before the first use of the context.
 *
 * EINVAL  unknown model, @tlb_entries zero or above GRU_TLB_MAX
 * EBUSY   configured before, or used: by any ioctl but GRU_STATS
 * EINTR   a signal came
 * ESRCH   the context's address space is gone
 * ENOMEM
 *
 * The first use of a context has the errors EINTR, ESRCH and ENOMEM too.
 * A context that is not configured is in the range model with
 * GRU_TLB_DEFAULT entries.
 */
struct gru_configure {
	__u32 model;
	__u32 tlb_entries;
};

#define GRU_OP_COPY	1	/* dst[0..length] = src[0..length], as memmove() */
#define GRU_OP_FILL	2	/* @length bytes at dst of the word @value */
#define GRU_OP_GATHER	3	/* dst[i] = src[index[i]], @length words of 8 bytes,
				 * @value the address of the __u64 index array */

/* One instruction.  Addresses are those of the context's memory.
 *
 * @status is written when the instruction ends: 0 or the errno
 *
 * EINVAL  unknown @op; @length zero or more than GRU_LENGTH_MAX bytes; a fill
 *         whose @length is no multiple of 8; a @value for a copy, a @src for a
 *         fill; an array that runs past the end of the address space; a gather
 *         with an address that is not a multiple of 8, or with an index that
 *         points past the end of the address space
 * EFAULT  nothing is mapped there, or it may not be read or written so
 * EINTR   a signal came
 * ESRCH   the context's address space is gone
 * ENOMEM
 *
 * With EINVAL nothing was written, but for the index that a gather meets on
 * its way; with the others a part of the destination may have been.  Words are
 * moved whole where they are aligned: by a copy whose source and destination
 * are aligned alike, by a fill whose destination is, by every gather.  What a
 * gather does when its destination overlaps the others is not defined.
 */
struct gru_instruction {
	__u32 op;
	__u32 status;
	__u64 dst;
	__u64 src;
	__u64 length;
	__u64 value;
};

/* GRU_RUN: works through @count instructions of the array at @instructions.
 *
 * @done, written whatever GRU_RUN returns but for EINVAL and EFAULT of this
 * structure, is the number of those that succeeded.  The first one that does
 * not succeed ends the run; its @status tells why and GRU_RUN returns the same
 * errno.  The instructions behind it are not touched.  After EINTR a program
 * goes on with the instruction that was interrupted.
 *
 * EINVAL  @count zero or above GRU_COUNT_MAX, an array that runs past the end
 *         of the address space
 * EFAULT  the array cannot be read; or a status cannot be written, whose
 *         instruction has worked nevertheless and is not counted
 * ESRCH   the context's address space is gone
 * ENOMEM
 */
struct gru_run {
	__u64 instructions;
	__u32 count;
	__u32 done;
};

/* GRU_PEEK: reads @length bytes at @addr through what the TLB holds now.
 *
 * EINVAL   @length zero or above GRU_PEEK_MAX, addresses that overflow
 * ENODATA  the TLB holds no entry for one of the pages
 * EFAULT   @buffer cannot be written
 * ESRCH    the context's address space is gone
 * ENOMEM
 */
struct gru_peek {
	__u64 addr;
	__u64 length;
	__u64 buffer;
};

/* GRU_STATS: counts since the context was opened.
 *
 * Flushes are what the address space asks for; GRU_FLUSH and the replacement
 * of entries are not counted.
 */
struct gru_stats {
	__u64 misses;		/* looked up and not found, or not writable */
	__u64 drop_ins;		/* entries that a miss brought in */
	__u64 refused;		/* drop-ins that an invalidation refused */
	__u64 waits;		/* those of them that waited for a range's end */
	__u64 flush_page;	/* invalidations of one page that dropped an entry */
	__u64 flush_range;	/* invalidations of more that dropped entries */
	__u64 pages_flushed;	/* entries that those invalidations dropped */
	__u64 released;		/* 1 after the address space's end */
};

#define GRU_CONFIGURE	_IOW(0xB7, 0, struct gru_configure)
#define GRU_RUN		_IOWR(0xB7, 1, struct gru_run)
#define GRU_PEEK	_IOW(0xB7, 2, struct gru_peek)
#define GRU_FLUSH	_IO(0xB7, 3)	/* drops all entries; ESRCH */
#define GRU_STATS	_IOR(0xB7, 4, struct gru_stats)

#endif /* _SAMPLES_GRU_H */
