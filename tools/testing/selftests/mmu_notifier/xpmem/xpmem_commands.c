// SPDX-License-Identifier: GPL-2.0
/* Each command, with each of its errors. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "xpmem_expect.h"

#define UNKNOWN_COUNT	(0x7ffffffeL << 32)

/* This process exports and attaches; the other has opened the device too. */
FIXTURE(commands) {
	struct peer peer;
	int fd, theirs;
	char *area;
	/* A page that can be read only, and behind it nothing. */
	char *locked;
	int64_t segid, apid;
};

FIXTURE_SETUP(commands)
{
	peer_start(&self->peer);
	self->fd = xp_open();
	ASSERT_LE(0, self->fd) TH_LOG("no " XPMEM_DEVICE ": load the module");
	self->theirs = peer_open(&self->peer);
	ASSERT_LE(0, self->theirs);
	self->area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	self->locked = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_EQ(0, munmap(self->locked + PAGE, PAGE));
	self->segid = xp_make(self->fd, self->area, SIZE, 0600);
	ASSERT_LT(0, self->segid);
	self->apid = xp_get(self->fd, self->segid, XPMEM_RDWR);
	ASSERT_LT(0, self->apid);
}

FIXTURE_TEARDOWN(commands)
{
	peer_exit(&self->peer);
	close(self->fd);
}

/* How many attachments the process has. */
static int attachments(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "anon_inode:[area]") != NULL;
	fclose(maps);
	return count;
}

/* The argument as the kernel can read it, but not write to it. */
#define READ_ONLY(argument) ({						\
	mprotect(self->locked, PAGE, PROT_READ | PROT_WRITE);		\
	memcpy(self->locked, &argument, sizeof(argument));		\
	mprotect(self->locked, PAGE, PROT_READ);			\
	self->locked; })

TEST_F(commands, version)
{
	EXPECT_EQ(XPMEM_CURRENT_VERSION, xp_command(self->fd, XPMEM_CMD_VERSION, NULL));
	EXPECT_EQ(0, xp_command(self->fd, XPMEM_CMD_FORK_BEGIN, NULL));
	EXPECT_EQ(0, xp_command(self->fd, XPMEM_CMD_FORK_END, NULL));
}

TEST_F(commands, unknown)
{
	EXPECT_EQ(-ENOTTY, xp_command(self->fd, _IO('x', 9), NULL));
	EXPECT_EQ(-ENOTTY, xp_command(self->fd, _IO('x', 255), NULL));
	EXPECT_EQ(-ENOTTY, xp_command(self->fd, _IO('y', 0), NULL));
	EXPECT_EQ(-ENOTTY, xp_command(self->fd, _IOR('x', 1, struct xpmem_cmd_make), NULL));
}

TEST_F(commands, bad_pointers)
{
	static const unsigned int with_argument[] = {
		XPMEM_CMD_MAKE, XPMEM_CMD_REMOVE, XPMEM_CMD_GET,
		XPMEM_CMD_RELEASE, XPMEM_CMD_ATTACH, XPMEM_CMD_DETACH,
	};

	for (size_t i = 0; i < sizeof(with_argument) / sizeof(*with_argument); i++) {
		EXPECT_EQ(-EFAULT, xp_command(self->fd, with_argument[i], NULL));
		EXPECT_EQ(-EFAULT, xp_command(self->fd, with_argument[i],
					      self->locked + PAGE - 4));
		EXPECT_EQ(-EFAULT, xp_command(self->fd, with_argument[i], (void *)-8UL));
	}
}

TEST_F(commands, nothing_is_left_where_the_answer_cannot_be_written)
{
	struct xpmem_cmd_make make = {
		.vaddr = (uintptr_t)self->area, .size = SIZE, .permit_type = XPMEM_PERMIT_MODE,
	};
	struct xpmem_cmd_get get = {
		.segid = self->segid, .flags = XPMEM_RDWR, .permit_type = XPMEM_PERMIT_MODE,
	};
	struct xpmem_cmd_attach attach = { .apid = self->apid, .size = SIZE };
	int64_t next = 1L << 32;

	EXPECT_EQ(-EFAULT, xp_command(self->fd, XPMEM_CMD_MAKE, READ_ONLY(make)));
	EXPECT_EQ(-ENOENT, xp_get(self->fd, self->apid + next, XPMEM_RDWR));
	EXPECT_EQ(-EFAULT, xp_command(self->fd, XPMEM_CMD_GET, READ_ONLY(get)));
	EXPECT_EQ(-ENOENT, xp_release(self->fd, self->apid + 2 * next));
	EXPECT_EQ(-EFAULT, xp_command(self->fd, XPMEM_CMD_ATTACH, READ_ONLY(attach)));
	EXPECT_EQ(0, attachments());
}

TEST_F(commands, make)
{
	struct xpmem_cmd_make good = {
		.vaddr = (uintptr_t)self->area, .size = SIZE,
		.permit_type = XPMEM_PERMIT_MODE, .permit_value = 0777,
	};
	struct xpmem_cmd_make make = good;

#define MAKE_WITH(field, value) ({				\
	make = good;						\
	make.field = value;					\
	make.segid = -1;					\
	xp_command(self->fd, XPMEM_CMD_MAKE, &make); })

	EXPECT_EQ(0, MAKE_WITH(permit_value, 0777));
	EXPECT_LT(0, make.segid);
	EXPECT_EQ((int32_t)make.segid, getpid());
	EXPECT_EQ(-EINVAL, MAKE_WITH(permit_value, 01000));
	EXPECT_EQ(-1, make.segid);
	EXPECT_EQ(-EINVAL, MAKE_WITH(permit_value, 1UL << 32));
	EXPECT_EQ(-EINVAL, MAKE_WITH(permit_type, 0));
	EXPECT_EQ(-EINVAL, MAKE_WITH(permit_type, XPMEM_GLOBAL_MODE));
	EXPECT_EQ(-EINVAL, MAKE_WITH(permit_type, -1));
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, 0));
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, 1));
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, PAGE + 8));
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, -PAGE));
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, 1UL << 47));
	EXPECT_EQ(-EINVAL, MAKE_WITH(vaddr, 1));
	EXPECT_EQ(-EINVAL, MAKE_WITH(vaddr, -PAGE));
	EXPECT_EQ(-EINVAL, MAKE_WITH(vaddr, 1UL << 47));
	EXPECT_EQ(0, MAKE_WITH(size, XPMEM_MAXADDR_SIZE));
	/* To the end of what is beyond the end. */
	good.vaddr = 1UL << 47;
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, XPMEM_MAXADDR_SIZE));
	good.vaddr = 1;
	EXPECT_EQ(-EINVAL, MAKE_WITH(size, XPMEM_MAXADDR_SIZE));
}

TEST_F(commands, make_twice)
{
	int64_t second = xp_make(self->fd, self->area, SIZE, 0600);
	int64_t apid;

	ASSERT_LT(0, second);
	ASSERT_NE(self->segid, second);
	EXPECT_EQ(0, xp_remove(self->fd, self->segid));
	apid = xp_get(self->fd, second, XPMEM_RDWR);
	ASSERT_LT(0, apid);
	EXPECT_LT(0, xp_attach(self->fd, apid, 0, SIZE, NULL));
}

TEST_F(commands, remove)
{
	char *there = (char *)xp_attach(self->fd, self->apid, 0, SIZE, NULL);

	ASSERT_LT(0, (int64_t)there);
	EXPECT_SEES(there, 0);
	EXPECT_EQ(-EINVAL, xp_remove(self->fd, 0));
	EXPECT_EQ(-EINVAL, xp_remove(self->fd, -1));
	EXPECT_EQ(-EINVAL, xp_remove(self->fd, -self->segid));
	EXPECT_EQ(-ENOENT, xp_remove(self->fd, 1));
	EXPECT_EQ(-ENOENT, xp_remove(self->fd, UNKNOWN_COUNT | getpid()));
	EXPECT_EQ(-ENOENT, xp_remove(self->fd, self->apid));
	EXPECT_EQ(-EACCES, peer_remove(&self->peer, self->theirs, self->segid));
	EXPECT_EQ(-ENOENT, peer_remove(&self->peer, self->theirs, UNKNOWN_COUNT | getpid()));
	EXPECT_SEES(there, 0);
	EXPECT_EQ(0, xp_remove(self->fd, self->segid));
	EXPECT_SIGNAL(SIGBUS, there);
	EXPECT_EQ(-ENOENT, xp_remove(self->fd, self->segid));
	EXPECT_EQ(-ENOENT, xp_get(self->fd, self->segid, XPMEM_RDONLY));
	EXPECT_EQ(-ENOENT, xp_attach(self->fd, self->apid, 0, SIZE, NULL));
	/* The rest can still be cleared away. */
	EXPECT_EQ(0, xp_detach(self->fd, there));
	EXPECT_EQ(0, xp_release(self->fd, self->apid));
}

TEST_F(commands, get)
{
	struct xpmem_cmd_get good = {
		.segid = self->segid, .flags = XPMEM_RDONLY, .permit_type = XPMEM_PERMIT_MODE,
	};
	struct xpmem_cmd_get get = good;

#define GET_WITH(field, value) ({				\
	get = good;						\
	get.field = value;					\
	get.apid = -1;						\
	xp_command(self->fd, XPMEM_CMD_GET, &get); })

	EXPECT_EQ(0, GET_WITH(flags, XPMEM_RDONLY));
	EXPECT_LT(0, get.apid);
	EXPECT_EQ((int32_t)get.apid, getpid());
	EXPECT_EQ(0, GET_WITH(flags, XPMEM_RDWR));
	EXPECT_EQ(0, GET_WITH(permit_type, XPMEM_GLOBAL_MODE));
	EXPECT_EQ(-EINVAL, GET_WITH(flags, 0));
	EXPECT_EQ(-1, get.apid);
	EXPECT_EQ(-EINVAL, GET_WITH(flags, XPMEM_RDONLY | XPMEM_RDWR));
	EXPECT_EQ(-EINVAL, GET_WITH(flags, 4));
	EXPECT_EQ(-EINVAL, GET_WITH(permit_type, 0));
	EXPECT_EQ(-EINVAL, GET_WITH(permit_type, 3));
	EXPECT_EQ(-EINVAL, GET_WITH(permit_value, 0600));
	EXPECT_EQ(-EINVAL, GET_WITH(segid, 0));
	EXPECT_EQ(-EINVAL, GET_WITH(segid, -self->segid));
	EXPECT_EQ(-ENOENT, GET_WITH(segid, 1));
	EXPECT_EQ(-ENOENT, GET_WITH(segid, self->apid));
	EXPECT_EQ(-ENOENT, GET_WITH(segid, UNKNOWN_COUNT | getpid()));
	/* Another process's segment is what it is for. */
	get.apid = peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR);
	EXPECT_LT(0, get.apid);
	EXPECT_EQ((int32_t)get.apid, self->peer.pid);
}

TEST_F(commands, release)
{
	char *there = (char *)xp_attach(self->fd, self->apid, 0, SIZE, NULL);
	char *other = (char *)xp_attach(self->fd, self->apid, PAGE, PAGE, NULL);
	int64_t foreign = peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR);

	ASSERT_LT(0, foreign);
	ASSERT_EQ(2, attachments());
	EXPECT_EQ(-EINVAL, xp_release(self->fd, 0));
	EXPECT_EQ(-EINVAL, xp_release(self->fd, -self->apid));
	EXPECT_EQ(-ENOENT, xp_release(self->fd, self->segid));
	EXPECT_EQ(-ENOENT, xp_release(self->fd, UNKNOWN_COUNT | getpid()));
	EXPECT_EQ(-EACCES, xp_release(self->fd, foreign));
	EXPECT_EQ(-ENOENT, xp_release(self->fd, UNKNOWN_COUNT | self->peer.pid));
	EXPECT_EQ(2, attachments());
	EXPECT_EQ(0, xp_release(self->fd, self->apid));
	EXPECT_EQ(0, attachments());
	EXPECT_SIGNAL(SIGSEGV, there);
	EXPECT_SIGNAL(SIGSEGV, other);
	EXPECT_EQ(-ENOENT, xp_release(self->fd, self->apid));
	EXPECT_EQ(-ENOENT, xp_attach(self->fd, self->apid, 0, SIZE, NULL));
}

TEST_F(commands, attach)
{
	int64_t foreign = peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR);
	char *room = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_LT(0, foreign);
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, 0, 0, SIZE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, -self->apid, 0, SIZE, NULL));
	EXPECT_EQ(-ENOENT, xp_attach(self->fd, self->segid, 0, SIZE, NULL));
	EXPECT_EQ(-ENOENT, xp_attach(self->fd, UNKNOWN_COUNT | getpid(), 0, SIZE, NULL));
	EXPECT_EQ(-EACCES, xp_attach(self->fd, foreign, 0, SIZE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 1, PAGE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, -PAGE, PAGE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, PAGE, room + 1));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, 0, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, SIZE + 1, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, PAGE, SIZE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, SIZE, PAGE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, -1UL, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, INT64_MAX - PAGE + 1, PAGE, NULL));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, PAGE, (void *)-PAGE));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, PAGE, self->area));
	EXPECT_EQ(-ENOMEM, xp_attach(self->fd, self->apid, 0, PAGE, (void *)(1UL << 47)));
	EXPECT_EQ(0, attachments());
	EXPECT_EQ((int64_t)room, xp_attach(self->fd, self->apid, 0, SIZE, room));
	/* Beside its own range, and on another part of it, an exporter may attach. */
	EXPECT_EQ((int64_t)self->area,
		  xp_attach(self->fd, self->apid, PAGE, PAGE, self->area));
	EXPECT_EQ(2, attachments());
}

TEST_F(commands, detach)
{
	char *there = (char *)xp_attach(self->fd, self->apid, 0, SIZE, NULL);

	ASSERT_LT(0, (int64_t)there);
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, NULL));
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, self->area));
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, there + SIZE));
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, there - 1));
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, (void *)-1UL));
	EXPECT_EQ(1, attachments());
	EXPECT_EQ(0, xp_detach(self->fd, there + SIZE - 1));
	EXPECT_EQ(0, attachments());
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, there));
}

/* A child has the file, but is not registered. */
static void unregistered(void *arg)
{
	static const unsigned int needs_registration[] = {
		XPMEM_CMD_MAKE, XPMEM_CMD_REMOVE, XPMEM_CMD_GET, XPMEM_CMD_RELEASE,
		XPMEM_CMD_ATTACH, XPMEM_CMD_DETACH, XPMEM_CMD_FORK_BEGIN, XPMEM_CMD_FORK_END,
	};
	int64_t *it = arg, apid;
	int inherited = (int)it[0], own;

	for (size_t i = 0; i < sizeof(needs_registration) / sizeof(*needs_registration); i++)
		if (xp_command(inherited, needs_registration[i], it) != -XPMEM_ERRNO_NOPROC)
			_exit(1 + (int)i);
	if (xp_command(inherited, XPMEM_CMD_VERSION, NULL) != XPMEM_CURRENT_VERSION)
		_exit(20);
	own = xp_open();
	apid = xp_get(own, it[1], XPMEM_RDWR);
	if (own < 0 || apid <= 0 || (int32_t)apid != getpid())
		_exit(21);
	/* By whichever file. */
	if (xp_attach(inherited, apid, 0, SIZE, NULL) <= 0)
		_exit(22);
}

TEST_F(commands, child_has_to_open_the_device_itself)
{
	int64_t arg[5] = { self->fd, self->segid };
	pid_t child = fork();
	int status;

	if (!child) {
		unregistered(arg);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, xp_release(self->fd, self->apid));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
	alarms += number == SIGALRM;
}

/* Where a first attachment waits for the locks of the address space, a signal ends the wait. */
TEST_F(commands, signals_interrupt_nothing)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } };
	int status;

	for (int i = 0; i < 50; i++) {
		pid_t child = fork();

		if (!child) {
			int fd = xp_open();
			int64_t apid = xp_get(fd, self->segid, XPMEM_RDWR);

			signal(SIGALRM, on_alarm);
			setitimer(ITIMER_REAL, &often, NULL);
			_exit(apid <= 0 || xp_attach(fd, apid, 0, SIZE, NULL) <= 0);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST_F(commands, registered_until_the_last_file_is_closed)
{
	int second = xp_open();

	ASSERT_LE(0, second);
	EXPECT_EQ(0, xp_pages_of(getpid()));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_EQ(0, xp_pages_of(getpid()));
	EXPECT_LT(0, peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR));
	ASSERT_EQ(0, close(second));
	EXPECT_EQ(-1, xp_pages_of(getpid()));
	EXPECT_EQ(-ENOENT, peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR));
	/* An id is not used a second time. */
	self->fd = xp_open();
	EXPECT_LT(self->segid, xp_make(self->fd, self->area, SIZE, 0600));
}

TEST_HARNESS_MAIN
