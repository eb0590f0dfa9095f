/* SPDX-License-Identifier: GPL-2.0 */
/* The ioctls of /dev/kvm_shadow as functions, and a machine to start from. */
#ifndef KS_H
#define KS_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "kvm_shadow.h"

/* Where the tests' guest memory begins, and how much of it there is. */
#define GUEST	0x40000000UL
#define PAGES	16

#define GUEST_PAGE(page)	(GUEST + (page) * PAGE)

static inline int ks_open(void)
{
	return open(KVM_SHADOW_DEVICE, O_RDWR | O_CLOEXEC);
}

static inline int ks_slot(int fd, unsigned int slot, __u64 guest, const void *user,
			  __u64 size, unsigned int flags)
{
	struct kvm_shadow_slot arg = { guest, size, (uintptr_t)user, slot, flags };

	return ioctl(fd, KVM_SHADOW_SET_SLOT, &arg);
}

static inline int ks_delete(int fd, unsigned int slot)
{
	return ks_slot(fd, slot, 0, NULL, 0, 0);
}

static inline int ks_read(int fd, __u64 guest, void *buffer, __u64 length)
{
	struct kvm_shadow_memory arg = { guest, length, (uintptr_t)buffer };

	return ioctl(fd, KVM_SHADOW_READ, &arg);
}

static inline int ks_write(int fd, __u64 guest, const void *buffer, __u64 length)
{
	struct kvm_shadow_memory arg = { guest, length, (uintptr_t)buffer };

	return ioctl(fd, KVM_SHADOW_WRITE, &arg);
}

static inline int ks_peek(int fd, __u64 guest, void *buffer, __u64 length)
{
	struct kvm_shadow_memory arg = { guest, length, (uintptr_t)buffer };

	return ioctl(fd, KVM_SHADOW_PEEK, &arg);
}

static inline int ks_states(int fd, __u64 guest, void *states, __u64 pages)
{
	struct kvm_shadow_state arg = { guest, pages, (uintptr_t)states };

	return ioctl(fd, KVM_SHADOW_STATE, &arg);
}

static inline int ks_dirty(int fd, unsigned int slot, void *bitmap)
{
	struct kvm_shadow_dirty arg = { slot, 0, (uintptr_t)bitmap };

	return ioctl(fd, KVM_SHADOW_GET_DIRTY, &arg);
}

static inline struct kvm_shadow_stats ks_stats(int fd)
{
	struct kvm_shadow_stats stats;

	if (ioctl(fd, KVM_SHADOW_STATS, &stats))
		abort();
	return stats;
}

/* What the shadow holds of one page, or -1. */
static inline int ks_state(int fd, __u64 guest)
{
	unsigned char state;

	return ks_states(fd, guest, &state, 1) ? -1 : state;
}

static inline int ks_read_word(int fd, __u64 guest, __u64 *word)
{
	return ks_read(fd, guest, word, sizeof(*word));
}

static inline int ks_peek_word(int fd, __u64 guest, __u64 *word)
{
	return ks_peek(fd, guest, word, sizeof(*word));
}

static inline int ks_write_word(int fd, __u64 guest, __u64 word)
{
	return ks_write(fd, guest, &word, sizeof(word));
}

/* What the guest reads at an address is this; before it has been read, only this or nothing. */
#define EXPECT_GUEST_SEES(fd, guest, value) do {				\
	__u64 _word = 0;						\
									\
	if (ks_peek_word(fd, guest, &_word)) {				\
		EXPECT_EQ(ENODATA, errno);				\
	} else {							\
		EXPECT_EQ(value, _word) TH_LOG("stale");		\
	}								\
	EXPECT_EQ(0, ks_read_word(fd, guest, &_word))			\
		TH_LOG("%s", strerror(errno));				\
	EXPECT_EQ(value, _word);					\
} while (0)

/* The guest can neither read nor write there, and holds nothing of it. */
#define EXPECT_GUEST_FAULTS(fd, guest) do {				\
	__u64 _word;							\
									\
	EXPECT_EQ(-1, ks_peek_word(fd, guest, &_word));			\
	EXPECT_EQ(ENODATA, errno);					\
	EXPECT_EQ(-1, ks_read_word(fd, guest, &_word));			\
	EXPECT_EQ(EFAULT, errno);					\
	EXPECT_EQ(-1, ks_write_word(fd, guest, 0));			\
	EXPECT_EQ(EFAULT, errno);					\
	EXPECT_EQ(0, ks_state(fd, guest));				\
} while (0)

static inline void put_word(char *area, size_t page, __u64 word)
{
	*(volatile __u64 *)(area + page * PAGE) = word;
}

static inline __u64 get_word(const char *area, size_t page)
{
	return *(volatile const __u64 *)(area + page * PAGE);
}

/* The word that the fixtures put at the start of a page. */
static inline __u64 word_of(size_t page)
{
	return 0x1000 + page;
}

/* The file that another process has open under this number, in this one; -1 if it has not. */
static inline int file_of(pid_t child, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	int file = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return file;
}

/* Returns 1 if the page of this process is in swap space, 0 if it is not, -1 if unknown. */
static inline int swapped_out(const void *page)
{
	__u64 entry;
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(file, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE * 8));

	close(file);
	return n == sizeof(entry) ? (int)(entry >> 62 & 1) : -1;
}

#endif
