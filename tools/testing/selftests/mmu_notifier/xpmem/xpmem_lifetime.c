// SPDX-License-Identifier: GPL-2.0
/* Who goes first: processes that exit, are killed, execute, fork or close, and what is left. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xpmem_expect.h"

#define ROUNDS	20

/* One process exports, another attaches. */
FIXTURE(lifetime) {
	struct peer exporter, attacher;
	int theirs, fd;
	char *area, *there;
	int64_t segid, apid;
	struct xp_pages before;
};

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(lifetime) *self)
{
	peer_start(&self->exporter);
	peer_start(&self->attacher);
	self->theirs = peer_open(&self->exporter);
	ASSERT_LE(0, self->theirs) TH_LOG("no " XPMEM_DEVICE ": load the module");
	self->fd = peer_open(&self->attacher);
	ASSERT_LE(0, self->fd);
	self->area = peer_map(&self->exporter, PAGES);
	self->segid = peer_make(&self->exporter, self->theirs, self->area, SIZE, 0600);
	self->apid = peer_get(&self->attacher, self->fd, self->segid, XPMEM_RDWR);
	ASSERT_LT(0, self->apid);
	self->there = (char *)peer_attach(&self->attacher, self->fd, self->apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)self->there);
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(0, peer_store(&self->attacher, self->there + page * PAGE, page));
}

FIXTURE_SETUP(lifetime)
{
	self->before = xp_pages();
	start(_metadata, self);
	ASSERT_LE(self->before.entered + PAGES, xp_pages().entered);
}

static void end(struct peer *peer)
{
	if (peer->pid)
		peer_exit(peer);
	peer->pid = 0;
}

static unsigned long long entered_now(FIXTURE_DATA(lifetime) *self)
{
	struct xp_pages now = xp_pages();

	return now.entered - self->before.entered - (now.left - self->before.left);
}

FIXTURE_TEARDOWN(lifetime)
{
	end(&self->attacher);
	end(&self->exporter);
	EXPECT_EQ(0, entered_now(self));
}

static int look(FIXTURE_DATA(lifetime) *self, size_t page)
{
	uint64_t word;

	return peer_load(&self->attacher, self->there + page * PAGE, &word);
}

TEST_F(lifetime, exporter_exits)
{
	pid_t pid = self->exporter.pid;

	end(&self->exporter);
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(-1, xp_pages_of(pid));
	EXPECT_EQ(SIGBUS, look(self, 0));
	EXPECT_EQ(-ENOENT, peer_get(&self->attacher, self->fd, self->segid, XPMEM_RDWR));
	EXPECT_EQ(-ENOENT, peer_attach(&self->attacher, self->fd, self->apid, 0, SIZE, NULL));
	EXPECT_EQ(0, peer_call(&self->attacher, SYS_munmap, self->there, SIZE));
}

TEST_F(lifetime, exporter_is_killed)
{
	peer_kill(&self->exporter);
	self->exporter.pid = 0;
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(SIGBUS, look(self, 0));
}

TEST_F(lifetime, exporter_closes_its_file)
{
	ASSERT_EQ(0, peer_call(&self->exporter, SYS_close, (long)self->theirs));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(-1, xp_pages_of(self->exporter.pid));
	EXPECT_EQ(SIGBUS, look(self, 0));
	EXPECT_EQ(-ENOENT, peer_get(&self->attacher, self->fd, self->segid, XPMEM_RDWR));
}

TEST_F(lifetime, exporter_exits_while_a_child_has_its_file)
{
	pid_t child = peer_fork(&self->exporter);

	ASSERT_LT(0, child);
	EXPECT_EQ(0, look(self, 0));
	end(&self->exporter);
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(SIGBUS, look(self, 0));
	EXPECT_EQ(-ENOENT, peer_get(&self->attacher, self->fd, self->segid, XPMEM_RDWR));
	kill(child, SIGKILL);
}

/* Has a process execute fuzz_xpmem, which opens the device anew; returns as child_wait(). */
static int execute(struct peer *peer)
{
	char *path = peer->arg, *null = peer->arg + 512;
	char **argv = (char **)(peer->arg + 1024);
	pid_t pid = peer->pid;
	ssize_t length = readlink("/proc/self/exe", path, 500);
	long output;

	strcpy(null, "/dev/null");
	output = peer_call(peer, SYS_openat, (long)AT_FDCWD, null, (long)O_WRONLY, 0L);
	peer_call(peer, SYS_dup2, output, 1L);
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, "fuzz_xpmem");
	argv[0] = path;
	argv[1] = strcpy(null + 64, "1");
	argv[2] = strcpy(null + 128, "0");
	argv[3] = NULL;
	peer_begin(peer, SYS_execve, path, argv, argv + 3);
	peer->pid = 0;
	return child_wait(pid);
}

TEST_F(lifetime, exporter_executes)
{
	EXPECT_EQ(0, execute(&self->exporter));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(SIGBUS, look(self, 0));
	EXPECT_EQ(-ENOENT, peer_get(&self->attacher, self->fd, self->segid, XPMEM_RDWR));
}

TEST_F(lifetime, attacher_unmaps)
{
	ASSERT_EQ(0, peer_call(&self->attacher, SYS_munmap, self->there, SIZE));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(SIGSEGV, look(self, 0));
	EXPECT_EQ(0, xp_pages_of(self->exporter.pid));
}

TEST_F(lifetime, attacher_maps_something_else_over_it)
{
	ASSERT_EQ((long)self->there,
		  peer_call(&self->attacher, SYS_mmap, self->there, SIZE, (long)PROT_READ,
			    (long)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), -1L, 0L));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(0, look(self, 0));
	EXPECT_EQ(0UL, *(uint64_t *)self->attacher.arg);
	/* The attachment is none any more. */
	EXPECT_EQ(0, peer_call(&self->exporter, SYS_madvise, self->area, SIZE,
			       (long)MADV_DONTNEED));
	EXPECT_LT(0, peer_attach(&self->attacher, self->fd, self->apid, 0, SIZE, self->there));
}

TEST_F(lifetime, attacher_exits)
{
	end(&self->attacher);
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(0, peer_call(&self->exporter, SYS_munmap, self->area, SIZE));
}

TEST_F(lifetime, attacher_closes_its_file)
{
	ASSERT_EQ(0, peer_call(&self->attacher, SYS_close, (long)self->fd));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(SIGSEGV, look(self, 0));
}

TEST_F(lifetime, attacher_executes)
{
	EXPECT_EQ(0, execute(&self->attacher));
	EXPECT_EQ(0, entered_now(self));
	EXPECT_EQ(0, peer_call(&self->exporter, SYS_munmap, self->area, SIZE));
}

/* This process attaches, and its child looks. */
TEST_F(lifetime, children_do_not_inherit)
{
	int fd = xp_open(), status;
	int64_t apid = xp_get(fd, self->segid, XPMEM_RDWR);
	char *here = (char *)xp_attach(fd, apid, 0, SIZE, NULL);
	uint64_t word;
	pid_t child;

	ASSERT_LT(0, (int64_t)here);
	EXPECT_SEES(here + PAGE, 1);
	child = fork();
	if (!child)
		_exit(load(here + PAGE, &word));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(SIGSEGV, WEXITSTATUS(status));
	EXPECT_SEES(here + PAGE, 1);
	close(fd);
}

/* Both are busy with the area when they are killed, one and then the other. */
TEST_F_TIMEOUT(lifetime, killed_at_any_moment, 240)
{
	uint64_t seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		peer_discard(&self->exporter, self->area, SIZE);
		peer_touch(&self->attacher, self->there, SIZE);
		/* Until they meet. */
		for (unsigned long long entered = xp_pages().entered;
		     xp_pages().entered < entered + next_random(&seed) % 64;)
			sched_yield();
		if (next_random(&seed) % 2) {
			peer_kill(&self->exporter);
			peer_kill(&self->attacher);
		} else {
			peer_kill(&self->attacher);
			peer_kill(&self->exporter);
		}
		EXPECT_EQ(0, entered_now(self));
		start(_metadata, self);
	}
}

TEST_HARNESS_MAIN
