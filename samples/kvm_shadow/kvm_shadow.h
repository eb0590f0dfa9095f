/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The user-space interface of /dev/kvm_shadow.
 *
 * An open file is one virtual machine on the address space of the process that opened it.
 * Guest memory is made of slots; what the machine reads and writes there goes through its
 * shadow page table and nothing else. The file may be used by another process (after fork()
 * or when handed over): the guest's memory stays the opener's, user buffers are the caller's.
 *
 * open() fails with EINTR if a signal comes while it registers with the address space, and with
 * ENOMEM. Every ioctl returns 0 or -1 with errno. What the errors of all of them mean:
 *
 *	EFAULT	the argument or a user buffer cannot be read or written
 *	EINVAL	a field is out of its bounds, as said with the ioctl
 *	ENOTTY	no ioctl has that number and size
 *	ENOMEM	out of memory
 *	ESRCH	the address space is gone, its process has exited (all but KVM_SHADOW_STATS)
 *
 * An ioctl that fails has changed nothing, except that KVM_SHADOW_READ, KVM_SHADOW_WRITE,
 * KVM_SHADOW_PEEK and KVM_SHADOW_STATE may already have transferred what lies before the page
 * they failed at when the error is EFAULT, EINTR, ENODATA or ESRCH; those found out from slots
 * and arguments alone (EINVAL, ENXIO, EPERM) come before anything is transferred, unless the
 * slots change meanwhile.
 */
#ifndef KVM_SHADOW_H
#define KVM_SHADOW_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVM_SHADOW_DEVICE	"/dev/kvm_shadow"
#define KVM_SHADOW_PAGE_SIZE	4096

#define KVM_SHADOW_SLOTS	32
#define KVM_SHADOW_SLOT_PAGES	(1 << 22)	/* the largest slot */

/* flags of a slot */
#define KVM_SHADOW_READONLY	1	/* the guest may not write */
#define KVM_SHADOW_LOG_DIRTY	2	/* note which pages the guest writes to */

struct kvm_shadow_slot {
	__u64 guest_addr;
	__u64 size;		/* bytes; 0 deletes the slot */
	__u64 user_addr;	/* of the opener */
	__u32 slot;
	__u32 flags;
};

struct kvm_shadow_memory {
	__u64 guest_addr;
	__u64 length;		/* bytes, not 0 */
	__u64 buffer;		/* of the caller */
};

struct kvm_shadow_state {
	__u64 guest_addr;	/* of a page */
	__u64 pages;		/* not 0 */
	__u64 states;		/* of the caller: KVM_SHADOW_PRESENT and so on, a byte a page */
};

/* what the shadow holds of a page */
#define KVM_SHADOW_PRESENT	1
#define KVM_SHADOW_WRITABLE	2
#define KVM_SHADOW_YOUNG	4	/* used since the VM last aged it */
#define KVM_SHADOW_DIRTY	8	/* written to since the dirty log was last read */

struct kvm_shadow_dirty {
	__u32 slot;
	__u32 pad;		/* 0 */
	__u64 bitmap;		/* of the caller: a bit a page, in whole __u64, lowest bit first */
};

struct kvm_shadow_stats {
	__u64 faults;		/* pages looked up in the address space and entered */
	__u64 retries;		/* lookups thrown away, an invalidation came between */
	__u64 invalidations;	/* ranges told of by the VM */
	__u64 pages_dropped;	/* entries that went with them */
	__u64 aged;		/* ranges that the VM has aged */
	__u64 released;		/* 1 when the address space is gone */
};

/*
 * Sets or deletes a slot. Setting one that exists may turn KVM_SHADOW_LOG_DIRTY on (with an
 * empty log) or off; else it must be deleted first. Several slots may show the same user
 * memory: a write to it is then in the log of each.
 *
 *	EINVAL	slot >= KVM_SHADOW_SLOTS; an unknown flag; an address or size not of whole
 *		pages; more than KVM_SHADOW_SLOT_PAGES; an end beyond 2^64 - 1
 *	EEXIST	the slot exists with other addresses or another KVM_SHADOW_READONLY; the guest
 *		addresses overlap those of another slot
 *	ENOENT	size 0, and no such slot
 */
#define KVM_SHADOW_SET_SLOT	_IOW(0xB6, 0, struct kvm_shadow_slot)

/*
 * Reads and writes guest memory through the shadow, faulting in what it lacks, in pieces of at
 * most a page. Aligned words of 8 bytes are read and written whole.
 *
 *	EINVAL	length 0, an end beyond 2^64 - 1
 *	ENXIO	some of it is in no slot
 *	EPERM	a write to a slot that is KVM_SHADOW_READONLY
 *	EFAULT	nothing is mapped there, or not with the right to do this
 *	EINTR	a signal came
 */
#define KVM_SHADOW_READ		_IOW(0xB6, 1, struct kvm_shadow_memory)
#define KVM_SHADOW_WRITE	_IOW(0xB6, 2, struct kvm_shadow_memory)

/*
 * Reads what the shadow holds now, and faults in nothing. Counts as use of the pages, as any
 * other read does.
 *
 *	EINVAL, ENXIO, EINTR	as above
 *	ENODATA			the shadow does not hold a page of it
 */
#define KVM_SHADOW_PEEK		_IOW(0xB6, 3, struct kvm_shadow_memory)

/*
 * Tells what the shadow holds of each page, without using them.
 *
 *	EINVAL	pages 0, an address not of a page, an end beyond 2^64 - 1
 *	ENXIO	some of it is in no slot
 *	EINTR	a signal came
 */
#define KVM_SHADOW_STATE	_IOW(0xB6, 4, struct kvm_shadow_state)

/*
 * Reads the dirty log of a slot, the pages written to since it was last read, and empties it.
 *
 *	EINVAL	slot >= KVM_SHADOW_SLOTS, pad is not 0
 *	ENOENT	no such slot, or one without KVM_SHADOW_LOG_DIRTY
 */
#define KVM_SHADOW_GET_DIRTY	_IOW(0xB6, 5, struct kvm_shadow_dirty)

#define KVM_SHADOW_STATS	_IOR(0xB6, 6, struct kvm_shadow_stats)

#endif
