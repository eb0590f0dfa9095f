// SPDX-License-Identifier: GPL-2.0
/* Every wrong argument gets its errno, and changes nothing. */
#define _GNU_SOURCE
#include "ks.h"

#define SIZE		(PAGES * PAGE)
#define TOP		(~0UL - PAGE + 1)

FIXTURE(arguments) {
	int fd;
	char *area;
	char *nowhere;
};

/* Slot 0: plain; 1: logs; 2: read-only. All in the shadow, the first page of 1 is dirty. */
FIXTURE_SETUP(arguments)
{
	__u64 word;

	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(3 * PAGES);
	self->nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
	ASSERT_DONE(ks_slot(self->fd, 1, GUEST + SIZE, self->area + SIZE, SIZE,
			    KVM_SHADOW_LOG_DIRTY));
	ASSERT_DONE(ks_slot(self->fd, 2, GUEST + 2 * SIZE, self->area + 2 * SIZE, SIZE,
			    KVM_SHADOW_READONLY));
	for (size_t page = 0; page < 3 * PAGES; page++)
		ASSERT_DONE(ks_read_word(self->fd, GUEST_PAGE(page), &word));
	ASSERT_DONE(ks_write_word(self->fd, GUEST + SIZE, 1));
}

struct snapshot {
	struct kvm_shadow_stats stats;
	unsigned char states[3 * PAGES];
};

static struct snapshot snapshot(int fd)
{
	struct snapshot shot = { .stats = ks_stats(fd) };

	/* How often, and for which ranges, the VM calls is not the ioctls' doing. */
	shot.stats.invalidations = shot.stats.pages_dropped = shot.stats.aged = 0;
	if (ks_states(fd, GUEST, shot.states, sizeof(shot.states)))
		abort();
	return shot;
}

FIXTURE_TEARDOWN(arguments)
{
	__u64 bitmap = 0, word;

	/* The slots, their flags and the log are what they were. */
	for (size_t page = 0; page < 3 * PAGES; page++) {
		put_word(self->area, page, word_of(page));
		EXPECT_EQ(0, ks_read_word(self->fd, GUEST_PAGE(page), &word));
		EXPECT_EQ(word_of(page), word);
	}
	EXPECT_EQ(-1, ks_read_word(self->fd, GUEST - 8, &word));
	EXPECT_EQ(-1, ks_read_word(self->fd, GUEST + 3 * SIZE, &word));
	EXPECT_EQ(-1, ks_dirty(self->fd, 0, &bitmap));
	EXPECT_EQ(0, ks_dirty(self->fd, 1, &bitmap));
	EXPECT_EQ(1, bitmap);
	EXPECT_EQ(-1, ks_write_word(self->fd, GUEST + 2 * SIZE, 0));
	EXPECT_EQ(EPERM, errno);
	close(self->fd);
}

#define EXPECT_REFUSED(error, call) do {				\
	struct snapshot _before = snapshot(self->fd), _after;		\
									\
	EXPECT_EQ(-1, call);						\
	EXPECT_EQ(error, errno) TH_LOG(#call);				\
	_after = snapshot(self->fd);					\
	EXPECT_EQ(0, memcmp(&_before, &_after, sizeof(_before))) TH_LOG(#call); \
} while (0)

TEST_F(arguments, unknown_ioctls)
{
	char buffer[4096] = {};

	for (unsigned int number = 7; number < 256; number++)
		EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOW(0xB6, number, __u64[3]), buffer));
	/* The right number with another size, direction or magic is another ioctl. */
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOW(0xB6, 0, __u64[3]), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOW(0xB6, 0, __u64[5]), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOR(0xB6, 0, __u64[4]), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IO(0xB6, 1), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOW(0xB6, 6, __u64[6]), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, _IOW(0xB5, 1, __u64[3]), buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, 0, buffer));
	EXPECT_REFUSED(ENOTTY, ioctl(self->fd, ~0U, buffer));
}

TEST_F(arguments, structures_that_cannot_be_read)
{
	void *wild[] = { NULL, self->nowhere, (void *)TOP, (void *)(1UL << 63),
			 self->nowhere - 1 };

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_SET_SLOT, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_READ, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_WRITE, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_PEEK, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_STATE, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_GET_DIRTY, wild[i]));
		EXPECT_REFUSED(EFAULT, ioctl(self->fd, KVM_SHADOW_STATS, wild[i]));
	}
}

TEST_F(arguments, slots)
{
	const __u64 free = GUEST + 4 * SIZE;
	char *area = self->area;
	int fd = self->fd;

	EXPECT_REFUSED(EINVAL, ks_slot(fd, KVM_SHADOW_SLOTS, free, area, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, ~0U, free, area, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, area, SIZE, 4));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, area, SIZE, 1U << 31));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free + 1, area, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free + PAGE / 2, area, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, area + 8, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, area, SIZE - 1, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, area, 1, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, TOP, area, PAGE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, TOP, area, 2 * PAGE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, (void *)TOP, PAGE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, free, (void *)TOP, SIZE, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, 0, NULL, TOP, 0));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 3, 0, NULL,
				       (KVM_SHADOW_SLOT_PAGES + 1) * PAGE, 0));

	EXPECT_REFUSED(EEXIST, ks_slot(fd, 3, GUEST, area, SIZE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 3, GUEST - PAGE, area, 2 * PAGE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 3, GUEST + 3 * SIZE - PAGE, area, SIZE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 3, GUEST + PAGE, area, PAGE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 3, 0, area, KVM_SHADOW_SLOT_PAGES * PAGE,
				       KVM_SHADOW_LOG_DIRTY));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 0, free, area, SIZE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 0, GUEST, area + PAGE, SIZE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 0, GUEST, area, SIZE - PAGE, 0));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 0, GUEST, area, SIZE, KVM_SHADOW_READONLY));
	EXPECT_REFUSED(EEXIST, ks_slot(fd, 2, GUEST + 2 * SIZE, area + 2 * SIZE, SIZE, 0));

	EXPECT_REFUSED(ENOENT, ks_delete(fd, 3));
	EXPECT_REFUSED(EINVAL, ks_delete(fd, KVM_SHADOW_SLOTS));
	EXPECT_REFUSED(EINVAL, ks_slot(fd, 0, 0, NULL, 0, 4));
}

/* Nothing is held of what lies beyond the slots, so it can be tried on all that read or write. */
TEST_F(arguments, memory)
{
	static int (*const calls[])(int fd, __u64 guest, void *buffer, __u64 length) = {
		ks_read, ks_peek, (int (*)(int, __u64, void *, __u64))ks_write, ks_states,
	};
	const __u64 end = GUEST + 3 * SIZE;
	char buffer[2 * PAGE] = {};
	int fd = self->fd;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		bool pages = calls[i] == ks_states;
		__u64 two = pages ? 2 : 2 * PAGE;

		EXPECT_REFUSED(EINVAL, calls[i](fd, GUEST, buffer, 0));
		EXPECT_REFUSED(EINVAL, calls[i](fd, GUEST, buffer, ~0UL));
		EXPECT_REFUSED(EINVAL, calls[i](fd, TOP, buffer, pages ? 1 : PAGE));
		EXPECT_REFUSED(ENXIO, calls[i](fd, TOP - PAGE, buffer, two / 2));
		EXPECT_REFUSED(ENXIO, calls[i](fd, 0, buffer, 1));
		EXPECT_REFUSED(ENXIO, calls[i](fd, end, buffer, 1));
		EXPECT_REFUSED(ENXIO, calls[i](fd, GUEST - PAGE, buffer, two));
		if (calls[i] == calls[2])
			continue;
		EXPECT_REFUSED(ENXIO, calls[i](fd, end - PAGE, buffer, two));
		EXPECT_REFUSED(EFAULT, calls[i](fd, GUEST, NULL, two));
		EXPECT_REFUSED(EFAULT, calls[i](fd, GUEST, self->nowhere, two));
		EXPECT_REFUSED(EFAULT, calls[i](fd, GUEST, (void *)TOP, two));
		EXPECT_REFUSED(EFAULT, calls[i](fd, GUEST, (void *)(1UL << 63), two));
	}
	EXPECT_REFUSED(EINVAL, ks_states(fd, GUEST + 1, buffer, 1));
	EXPECT_REFUSED(EINVAL, ks_states(fd, GUEST, buffer, 1UL << 52));
	EXPECT_REFUSED(EFAULT, ks_write(fd, GUEST, NULL, PAGE));
	EXPECT_REFUSED(EFAULT, ks_write(fd, GUEST, self->nowhere, 1));
}

TEST_F(arguments, read_only)
{
	char buffer[2 * PAGE] = {};
	int fd = self->fd;

	EXPECT_REFUSED(EPERM, ks_write(fd, GUEST + 2 * SIZE, buffer, 1));
	EXPECT_REFUSED(EPERM, ks_write(fd, GUEST + 3 * SIZE - 1, buffer, 1));
	/* The part before the read-only slot is not written either. */
	EXPECT_REFUSED(EPERM, ks_write(fd, GUEST + 2 * SIZE - PAGE, buffer, 2 * PAGE));
}

TEST_F(arguments, logs)
{
	struct kvm_shadow_dirty padded = { 1, 1, (uintptr_t)&padded };
	int fd = self->fd;
	__u64 bitmap;

	EXPECT_REFUSED(EINVAL, ioctl(fd, KVM_SHADOW_GET_DIRTY, &padded));
	EXPECT_REFUSED(EINVAL, ks_dirty(fd, KVM_SHADOW_SLOTS, &bitmap));
	EXPECT_REFUSED(EINVAL, ks_dirty(fd, ~0U, &bitmap));
	EXPECT_REFUSED(ENOENT, ks_dirty(fd, 0, &bitmap));
	EXPECT_REFUSED(ENOENT, ks_dirty(fd, 31, &bitmap));
}

/* User space cannot take the log: it is kept, what is written meanwhile comes on top. */
TEST_F(arguments, a_log_that_cannot_be_written)
{
	void *wild[] = { NULL, self->nowhere, (void *)TOP, (void *)(1UL << 63) };

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		EXPECT_EQ(-1, ks_dirty(self->fd, 1, wild[i]));
		EXPECT_EQ(EFAULT, errno);
	}
}

TEST_F(arguments, no_other_system_calls)
{
	char buffer[16] = {};

	EXPECT_EQ(-1, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_HARNESS_MAIN
