// SPDX-License-Identifier: GPL-2.0
/* Who uses a machine: several of them on one address space, other processes, nobody any more. */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "ks.h"

#define SIZE	(PAGES * PAGE)

FIXTURE(users) {
	int fd;
	char *area;
};

FIXTURE_SETUP(users)
{
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(PAGES);
	for (size_t page = 0; page < PAGES; page++)
		put_word(self->area, page, word_of(page));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
}

FIXTURE_TEARDOWN(users)
{
	area_unmap(self->area, PAGES);
	close(self->fd);
}

TEST_F(users, two_machines_on_one_address_space)
{
	int other = ks_open();
	__u64 word;

	ASSERT_LE(0, other);
	/* Each has its own slots and its own entries. */
	ASSERT_FAILS(ENXIO, ks_read_word(other, GUEST, &word));
	ASSERT_DONE(ks_slot(other, 0, 0, self->area, SIZE, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST, word_of(0));
	ASSERT_FAILS(ENODATA, ks_peek_word(other, 0, &word));
	/* Each sees what the other writes, and both lose what the VM takes. */
	ASSERT_DONE(ks_write_word(other, 0, 5));
	EXPECT_GUEST_SEES(self->fd, GUEST, 5);
	ASSERT_EQ(0, madvise(self->area, PAGE, MADV_DONTNEED));
	ASSERT_FAILS(ENODATA, ks_peek_word(other, 0, &word));
	ASSERT_FAILS(ENODATA, ks_peek_word(self->fd, GUEST, &word));
	EXPECT_GUEST_SEES(other, 0, 0);
	/* One goes, the other stays in place. */
	ASSERT_EQ(0, close(other));
	EXPECT_GUEST_SEES(self->fd, GUEST, 0);
	ASSERT_EQ(0, munmap(self->area, PAGE));
	EXPECT_GUEST_FAULTS(self->fd, GUEST);
}

TEST_F(users, many_machines)
{
	int files[50];

	for (int i = 0; i < 50; i++) {
		files[i] = ks_open();
		ASSERT_LE(0, files[i]);
		ASSERT_DONE(ks_slot(files[i], 0, GUEST, self->area, SIZE, 0));
		EXPECT_GUEST_SEES(files[i], GUEST, word_of(0));
	}
	ASSERT_EQ(0, madvise(self->area, PAGE, MADV_DONTNEED));
	for (int i = 0; i < 50; i += 2)
		close(files[i]);
	for (int i = 1; i < 50; i += 2) {
		EXPECT_GUEST_SEES(files[i], GUEST, 0);
		close(files[i]);
	}
}

/* The child's memory at the same addresses is another one; its buffers are its own. */
static void uses_its_parents(void *arg)
{
	char *area = ((void **)arg)[1];
	int fd = *(int *)((void **)arg)[0];
	__u64 word;

	for (size_t page = 0; page < PAGES; page++)
		put_word(area, page, 0xc);
	for (size_t page = 0; page < PAGES; page++)
		if (ks_read_word(fd, GUEST_PAGE(page), &word) || word != word_of(page))
			_exit(1);
	/* Into memory of its own, at an address where the guest has some too. */
	if (ks_read(fd, GUEST_PAGE(1), area, PAGE) || get_word(area, 0) != word_of(1))
		_exit(2);
	put_word(area, 2, 0xd);
	if (ks_write(fd, GUEST_PAGE(3), area + 2 * PAGE, 8) || get_word(area, 3) != 0xc)
		_exit(3);
	/* What is unmapped here is still mapped there. */
	munmap(area, SIZE);
	if (ks_read_word(fd, GUEST_PAGE(5), &word) || word != word_of(5))
		_exit(4);
	if (ks_read(fd, GUEST_PAGE(5), area, 8) != -1 || errno != EFAULT)
		_exit(5);
}

TEST_F(users, from_a_child)
{
	void *arg[] = { &self->fd, self->area };

	EXPECT_EQ(0, child_wait(child_start(uses_its_parents, arg)));
	EXPECT_EQ(0xd, get_word(self->area, 3));
	EXPECT_GUEST_SEES(self->fd, GUEST, word_of(0));
}

struct owner {
	int ready;
	int end;
	int fd;
};

/* Opens a machine on its own memory; its file is looked for under a known number. */
static void owns_a_machine(void *arg)
{
	struct owner *owner = arg;
	char *area = area_map(PAGES), c;
	int fd = ks_open();

	if (fd < 0 || dup2(fd, owner->fd) < 0)
		_exit(1);
	for (size_t page = 0; page < PAGES; page++)
		put_word(area, page, word_of(page));
	if (ks_slot(fd, 0, GUEST, area, SIZE, KVM_SHADOW_LOG_DIRTY) ||
	    ks_write_word(fd, GUEST, 1) || write(owner->ready, "", 1) != 1)
		_exit(2);
	if (read(owner->end, &c, 1) < 0)
		_exit(3);
}

#define EXPECT_DEAD(call) do {						\
	EXPECT_EQ(-1, call);						\
	EXPECT_EQ(ESRCH, errno) TH_LOG(#call);				\
} while (0)

FIXTURE(owner) {
	pid_t child;
	int fd;
	int end;
};

FIXTURE_SETUP(owner)
{
	int ready[2], ending[2];
	struct owner owner;
	char c;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(ending));
	owner = (struct owner){ ready[1], ending[0], 100 };
	self->child = fork();
	if (!self->child) {
		close(ending[1]);
		owns_a_machine(&owner);
		_exit(0);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	self->end = ending[1];
	self->fd = file_of(self->child, owner.fd);
	ASSERT_LE(0, self->fd) TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(owner)
{
	close(self->fd);
}

/* The memory is gone, and the file lives on. */
TEST_F(owner, exits)
{
	char *area = area_map(1);
	__u64 word, bitmap;
	unsigned char state;

	EXPECT_GUEST_SEES(self->fd, GUEST, 1);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), word_of(1));
	EXPECT_EQ(0, ks_stats(self->fd).released);
	close(self->end);
	ASSERT_EQ(0, child_wait(self->child));

	EXPECT_EQ(1, ks_stats(self->fd).released);
	EXPECT_DEAD(ks_read_word(self->fd, GUEST, &word));
	EXPECT_DEAD(ks_write_word(self->fd, GUEST, 1));
	EXPECT_DEAD(ks_peek_word(self->fd, GUEST, &word));
	EXPECT_DEAD(ks_states(self->fd, GUEST, &state, 1));
	EXPECT_DEAD(ks_dirty(self->fd, 0, &bitmap));
	EXPECT_DEAD(ks_slot(self->fd, 1, 0, area, PAGE, 0));
	EXPECT_DEAD(ks_delete(self->fd, 0));
	EXPECT_EQ(-1, ioctl(self->fd, 0, 0));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(1, ks_stats(self->fd).released);
}

static long read_for_ever(void *arg)
{
	__u64 word;

	while (!ks_read_word(*(int *)arg, GUEST, &word))
		if (word != 1)
			return 1;
	return 0;
}

/* It is killed while another process reads its memory through the shadow. */
TEST_F(owner, is_killed)
{
	struct job readers[2];

	for (int i = 0; i < 2; i++)
		job_start(&readers[i], read_for_ever, &self->fd);
	while (ks_stats(self->fd).faults < 1)
		;
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, job_join(&readers[i]));
		EXPECT_EQ(ESRCH, errno) TH_LOG("%s", strerror(errno));
	}
	EXPECT_EQ(-SIGKILL, child_wait(self->child));
	close(self->end);
}

/* The last to hold it closes it while its owner exits. */
TEST_F(owner, closes_while_it_exits)
{
	close(self->end);
	close(self->fd);
	EXPECT_EQ(0, child_wait(self->child));
	self->fd = -1;
}

TEST_HARNESS_MAIN
