/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/xpmem: mapping ranges of another process's address space
 *
 * A process opens the device once, which registers it.  It exports a range with
 * XPMEM_CMD_MAKE; another gets a permit to the segment with XPMEM_CMD_GET and
 * maps part of it with XPMEM_CMD_ATTACH.  Nothing is pinned: what the exporter
 * unmaps, protects or replaces is torn down in the attachers first, and looked
 * up again when they touch it.  There is SIGBUS where there is nothing, and
 * where the exporter itself may not do what the attacher tries.
 *
 * Errors of every command: ENOTTY for an unknown number, EFAULT for an argument
 * that cannot be read or written, XPMEM_ERRNO_NOPROC if the calling process
 * has not opened the device itself (but for XPMEM_CMD_VERSION), ENOMEM.  A
 * command that fails changes nothing.
 *
 * An id that is not positive is EINVAL, an unknown one ENOENT, and so is that
 * of a segment or permit that is going.  What belongs to another process is
 * EACCES where only its owner may use it.
 *
 * /proc/xpmem/global_pages counts the pages that were ever entered into
 * attachments, and those that have left; /proc/xpmem/<tgid> the pages of one
 * exporter that are in attachments now.
 */
#ifndef _SAMPLES_XPMEM_H
#define _SAMPLES_XPMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define XPMEM_ERRNO_NOPROC	2004

#define XPMEM_CURRENT_VERSION	0x00026005

/* Returns XPMEM_CURRENT_VERSION. */
#define XPMEM_CMD_VERSION	_IO('x', 0)

#define XPMEM_PERMIT_MODE	1	/* @permit_value is a mode as of chmod(2) */
#define XPMEM_GLOBAL_MODE	2	/* XPMEM_CMD_GET takes this too */

#define XPMEM_MAXADDR_SIZE	(~0ULL)

/* XPMEM_CMD_MAKE: exports @size bytes from @vaddr on.
 *
 * XPMEM_MAXADDR_SIZE exports up to the end of the address space.  The range
 * need not be mapped.  The segment belongs to the caller's effective user and
 * group.
 *
 * EINVAL  @permit_type is not XPMEM_PERMIT_MODE, @permit_value not within 0777;
 *         @vaddr or @size not of whole pages, @size zero, or the range not
 *         within the address space of a process
 * EBUSY   the process has 65536 segments and permits
 */
struct xpmem_cmd_make {
	__u64 vaddr;
	__u64 size;
	__s32 permit_type;
	__u64 permit_value;
	__s64 segid;		/* out */
};
#define XPMEM_CMD_MAKE		_IO('x', 1)

/* XPMEM_CMD_REMOVE: takes a segment back; its attachments get SIGBUS.
 *
 * EACCES  it is another process's
 */
struct xpmem_cmd_remove {
	__s64 segid;
};
#define XPMEM_CMD_REMOVE	_IO('x', 2)

#define XPMEM_RDONLY	1
#define XPMEM_RDWR	2

/* XPMEM_CMD_GET: gets a permit to attach.
 *
 * EINVAL  @flags is neither of the two; @permit_type unknown; @permit_value set
 * EACCES  the segment's mode does not allow it to the caller, by the rules of
 *         System V IPC objects (ipcperms)
 * EBUSY   the process has 65536 segments and permits
 */
struct xpmem_cmd_get {
	__s64 segid;
	__s32 flags;
	__s32 permit_type;
	__u64 permit_value;
	__s64 apid;		/* out */
};
#define XPMEM_CMD_GET		_IO('x', 3)

/* XPMEM_CMD_RELEASE: gives a permit back and detaches what was attached by it.
 *
 * EACCES  it is another process's
 */
struct xpmem_cmd_release {
	__s64 apid;
};
#define XPMEM_CMD_RELEASE	_IO('x', 4)

/* XPMEM_CMD_ATTACH: maps @size bytes from @offset of the segment on.
 *
 * @vaddr zero lets the kernel choose; anything else takes the place of what is
 * mapped there.  @size is rounded up to pages.  An attachment can be unmapped,
 * whole, but not moved or split; children do not inherit it.
 *
 * EINVAL  @offset or @vaddr not page aligned, @offset negative, @size zero, the
 *         range not within the segment; another attachment at @vaddr, or, in
 *         the exporter itself, the attached range
 * EACCES  the permit is another process's
 * and those of mmap(2)
 */
struct xpmem_cmd_attach {
	__s64 apid;
	__s64 offset;
	__u64 size;
	__u64 vaddr;		/* in and out */
	__s32 fd;		/* unused */
	__s32 flags;		/* unused */
};
#define XPMEM_CMD_ATTACH	_IO('x', 5)

/* XPMEM_CMD_DETACH: unmaps the attachment that @vaddr lies in.
 *
 * EINVAL  there is none
 * and those of munmap(2)
 */
struct xpmem_cmd_detach {
	__u64 vaddr;
};
#define XPMEM_CMD_DETACH	_IO('x', 6)

/* Around fork(2); there is nothing to do. */
#define XPMEM_CMD_FORK_BEGIN	_IO('x', 7)
#define XPMEM_CMD_FORK_END	_IO('x', 8)

#endif
