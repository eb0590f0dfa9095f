/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/peek: words of a process's memory, through translations that are kept
 *
 * An open file reads the memory of the process that opened it.
 *
 * Errors of every ioctl: ENOTTY for an unknown number, EFAULT for an argument
 * that cannot be read or written.  open() fails with EINTR when a signal came,
 * and with ENOMEM.
 */
#ifndef _SAMPLES_PEEK_H
#define _SAMPLES_PEEK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* PEEK_READ: reads the word at @addr into @value.
 *
 * EINVAL  @addr is not a multiple of 8
 * EFAULT  there is no memory, or none that may be read
 * ESRCH   the process is gone
 * EINTR   a signal came
 * ENOMEM
 */
struct peek_read {
	__u64 addr;
	__u64 value;
};

/* PEEK_COUNTS: since the file was opened. */
struct peek_counts {
	__u64 faults;		/* translations that were made */
	__u64 dropped;		/* and taken back by an invalidation */
};

#define PEEK_READ	_IOWR(0xB9, 0, struct peek_read)
#define PEEK_COUNTS	_IOR(0xB9, 1, struct peek_counts)

#endif /* _SAMPLES_PEEK_H */
