// SPDX-License-Identifier: GPL-2.0
/* Attachments: where they are, what they show, and what the exporter's changes do to them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xpmem_expect.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

/* The other process exports @area, and this one attaches all of it at @here. */
FIXTURE(pair) {
	struct peer peer;
	int fd, theirs;
	char *area, *here;
	int64_t segid, apid;
	struct xp_pages before;
};

FIXTURE_SETUP(pair)
{
	self->before = xp_pages();
	peer_start(&self->peer);
	self->fd = xp_open();
	ASSERT_LE(0, self->fd) TH_LOG("no " XPMEM_DEVICE ": load the module");
	self->theirs = peer_open(&self->peer);
	ASSERT_LE(0, self->theirs);
	self->area = peer_map(&self->peer, PAGES);
	self->segid = peer_make(&self->peer, self->theirs, self->area, SIZE, 0600);
	ASSERT_LT(0, self->segid);
	self->apid = xp_get(self->fd, self->segid, XPMEM_RDWR);
	ASSERT_LT(0, self->apid);
	self->here = (char *)xp_attach(self->fd, self->apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)self->here);
}

FIXTURE_TEARDOWN(pair)
{
	struct xp_pages after;

	if (self->peer.pid)
		peer_exit(&self->peer);
	close(self->fd);
	after = xp_pages();
	EXPECT_EQ(after.entered - self->before.entered, after.left - self->before.left);
}

#define EXPECT_PEER_SEES(at, word) do {				\
	uint64_t seen = 0;					\
	EXPECT_EQ(0, peer_load(&self->peer, at, &seen));	\
	EXPECT_EQ((uint64_t)(word), seen);			\
} while (0)

static void see_all(struct __test_metadata *_metadata, char *here)
{
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_SEES(here + page * PAGE, word_of(page));
}

TEST_F(pair, data_both_ways)
{
	see_all(_metadata, self->here);
	/* The kernel may have taken some of them by now. */
	EXPECT_LT(0, xp_pages_of(self->peer.pid));
	EXPECT_GE((long)PAGES, xp_pages_of(self->peer.pid));
	EXPECT_EQ(0, xp_pages_of(getpid()));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_EQ(0, store(self->here + page * PAGE, page));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_PEER_SEES(self->area + page * PAGE, page);
	/* Nothing else is looked up: it is the same memory. */
	for (size_t page = 0; page < PAGES; page++) {
		EXPECT_EQ(0, peer_store(&self->peer, self->area + page * PAGE, 7));
		EXPECT_SEES(self->here + page * PAGE, 7);
	}
}

TEST_F(pair, by_the_kernel_too)
{
	int pipes[2];
	uint64_t word = 5;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(8, write(pipes[1], self->here + PAGE, 8));
	ASSERT_EQ(8, read(pipes[0], &word, 8));
	EXPECT_EQ(word_of(1), word);
	ASSERT_EQ(8, write(pipes[1], &self->fd, 4) + write(pipes[1], &self->fd, 4));
	ASSERT_EQ(8, read(pipes[0], self->here + 2 * PAGE, 8));
	EXPECT_PEER_SEES(self->area + 2 * PAGE, self->fd | (uint64_t)self->fd << 32);
	/* Where there is nothing the kernel says so. */
	ASSERT_EQ(0, peer_call(&self->peer, SYS_munmap, self->area, SIZE));
	ASSERT_FAILS(EFAULT, write(pipes[1], self->here + PAGE, 8));
}

TEST_F(pair, parts_and_addresses)
{
	char *room = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *part;

	/* Rounded up to pages, and no further. */
	part = (char *)xp_attach(self->fd, self->apid, 3 * PAGE, PAGE + 1, NULL);
	ASSERT_LT(0, (int64_t)part);
	EXPECT_SEES(part, word_of(3));
	EXPECT_SEES(part + PAGE, word_of(4));
	EXPECT_EQ(0, store(part + 2 * PAGE - 8, 9));
	EXPECT_PEER_SEES(self->area + 5 * PAGE - 8, 9);
	EXPECT_SEES(self->here + 5 * PAGE - 8, 9);
	EXPECT_EQ(0, xp_detach(self->fd, part + PAGE));
	EXPECT_SIGNAL(SIGSEGV, part);

	/* The last page, at an address that takes the place of something else. */
	ASSERT_EQ((int64_t)room + (int64_t)PAGE,
		  xp_attach(self->fd, self->apid, SIZE - PAGE, PAGE, room + PAGE));
	EXPECT_SEES(room + PAGE, word_of(PAGES - 1));
	EXPECT_SEES(room, 0);
	EXPECT_SEES(room + 2 * PAGE, 0);
	EXPECT_EQ(SIGSEGV, store(room, 1));
	/* Not over an attachment. */
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, PAGE, room + PAGE));
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, self->apid, 0, 3 * PAGE, room));
	EXPECT_SEES(room + PAGE, word_of(PAGES - 1));
	/* Unmapped by the ordinary way, it is none any more. */
	ASSERT_EQ(0, munmap(room + PAGE, PAGE));
	EXPECT_EQ(-EINVAL, xp_detach(self->fd, room + PAGE));
	EXPECT_EQ((int64_t)room, xp_attach(self->fd, self->apid, 0, 3 * PAGE, room));
	EXPECT_SEES(room + 2 * PAGE, word_of(2));
	EXPECT_EQ(0, xp_detach(self->fd, room));
}

TEST_F(pair, read_only)
{
	int64_t apid = xp_get(self->fd, self->segid, XPMEM_RDONLY);
	char *there;

	ASSERT_LT(0, apid);
	there = (char *)xp_attach(self->fd, apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)there);
	see_all(_metadata, there);
	EXPECT_EQ(SIGSEGV, store(there, 1));
	ASSERT_FAILS(EACCES, mprotect(there, SIZE, PROT_READ | PROT_WRITE));
	/* What another writes is seen. */
	EXPECT_EQ(0, store(self->here, 5));
	EXPECT_SEES(there, 5);
	EXPECT_EQ(0, xp_release(self->fd, apid));
	EXPECT_SIGNAL(SIGSEGV, there);
}

TEST_F(pair, mapped_whole_and_in_place)
{
	char *elsewhere = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	see_all(_metadata, self->here);
	ASSERT_FAILS(EINVAL, munmap(self->here, PAGE));
	ASSERT_FAILS(EINVAL, munmap(self->here + PAGE, PAGE));
	ASSERT_FAILS(EINVAL, mprotect(self->here, PAGE, PROT_READ));
	ASSERT_EQ(MAP_FAILED, mremap(self->here, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     elsewhere));
	ASSERT_EQ(MAP_FAILED, mremap(self->here, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
	ASSERT_EQ(MAP_FAILED, mremap(self->here, 0, SIZE, MREMAP_MAYMOVE));
	ASSERT_EQ(MAP_FAILED, mremap(self->here, SIZE, PAGE, 0));
	ASSERT_FAILS(EINVAL, madvise(self->here, SIZE, MADV_DOFORK));
	ASSERT_FAILS(EINVAL, madvise(self->here, SIZE, MADV_DONTNEED));
	/* It is still there, and follows the exporter. */
	see_all(_metadata, self->here);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_madvise, self->area, SIZE, (long)MADV_DONTNEED));
	EXPECT_SEES(self->here, 0);
	/* Protection of the whole can change, and back. */
	ASSERT_EQ(0, mprotect(self->here, SIZE, PROT_READ));
	EXPECT_EQ(SIGSEGV, store(self->here, 1));
	ASSERT_EQ(0, mprotect(self->here, SIZE, PROT_NONE));
	EXPECT_SIGNAL(SIGSEGV, self->here);
	ASSERT_EQ(0, mprotect(self->here, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, store(self->here, 1));
	EXPECT_PEER_SEES(self->area, 1);
}

/* It maps the same file anew, which the kernel would do by itself. */
TEST_F(pair, remapped)
{
	see_all(_metadata, self->here);
	ASSERT_EQ(-1, syscall(SYS_remap_file_pages, self->here, SIZE, 0L, 0L, 0L));
	/* Nobody could tear such a mapping down. */
	ASSERT_EQ(0, peer_remove(&self->peer, self->theirs, self->segid));
	EXPECT_NE(0, load(self->here, &(uint64_t){}));
	EXPECT_EQ(0, xp_pages_of(self->peer.pid));
}

TEST_F(pair, sealed)
{
	see_all(_metadata, self->here);
	if (syscall(SYS_mseal, self->here, SIZE, 0L))
		SKIP(return, "no mseal()");
	EXPECT_EQ(-EPERM, xp_detach(self->fd, self->here));
	see_all(_metadata, self->here);
	/* The permit goes all the same. */
	EXPECT_EQ(0, xp_release(self->fd, self->apid));
	EXPECT_SIGNAL(SIGBUS, self->here);
}

TEST_F(pair, exporter_unmaps)
{
	see_all(_metadata, self->here);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_munmap, self->area + 4 * PAGE, 4 * PAGE));
	EXPECT_GE((long)PAGES - 4, xp_pages_of(self->peer.pid));
	EXPECT_SEES(self->here + 3 * PAGE, word_of(3));
	EXPECT_SIGNAL(SIGBUS, self->here + 4 * PAGE);
	EXPECT_SIGNAL(SIGBUS, self->here + 7 * PAGE);
	EXPECT_SEES(self->here + 8 * PAGE, word_of(8));
	/* What comes there later is seen. */
	ASSERT_EQ((long)self->area + 4 * (long)PAGE,
		  peer_call(&self->peer, SYS_mmap, self->area + 4 * PAGE, PAGE,
			    (long)(PROT_READ | PROT_WRITE),
			    (long)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), -1L, 0L));
	EXPECT_SEES(self->here + 4 * PAGE, 0);
	EXPECT_EQ(0, peer_store(&self->peer, self->area + 4 * PAGE, 77));
	EXPECT_SEES(self->here + 4 * PAGE, 77);
	EXPECT_SIGNAL(SIGBUS, self->here + 5 * PAGE);
}

TEST_F(pair, exporter_discards)
{
	see_all(_metadata, self->here);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_madvise, self->area, SIZE, (long)MADV_DONTNEED));
	EXPECT_EQ(0, xp_pages_of(self->peer.pid));
	EXPECT_SEES(self->here, 0);
	/* A page of zeroes was read; a write makes it the exporter's own. */
	EXPECT_EQ(0, store(self->here, 3));
	EXPECT_PEER_SEES(self->area, 3);
	EXPECT_EQ(0, peer_store(&self->peer, self->area, 4));
	EXPECT_SEES(self->here, 4);
	/* Written first. */
	EXPECT_EQ(0, store(self->here + PAGE, 5));
	EXPECT_PEER_SEES(self->area + PAGE, 5);
}

TEST_F(pair, exporter_protects)
{
	see_all(_metadata, self->here);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_mprotect, self->area, SIZE, (long)PROT_READ));
	EXPECT_EQ(0, xp_pages_of(self->peer.pid));
	EXPECT_SEES(self->here, word_of(0));
	EXPECT_EQ(SIGBUS, store(self->here, 1));
	EXPECT_PEER_SEES(self->area, word_of(0));
	ASSERT_EQ(0, peer_call(&self->peer, SYS_mprotect, self->area, SIZE, (long)PROT_NONE));
	EXPECT_SIGNAL(SIGBUS, self->here);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_mprotect, self->area, SIZE,
			       (long)(PROT_READ | PROT_WRITE)));
	EXPECT_EQ(0, store(self->here, 1));
	EXPECT_PEER_SEES(self->area, 1);
}

TEST_F(pair, exporter_moves)
{
	char *elsewhere;

	see_all(_metadata, self->here);
	elsewhere = (char *)peer_call(&self->peer, SYS_mremap, self->area, SIZE, SIZE,
				      (long)(MREMAP_MAYMOVE | MREMAP_DONTUNMAP), 0L);
	ASSERT_LT(0, (long)elsewhere);
	/* The segment is addresses, not memory. */
	EXPECT_SEES(self->here, 0);
	EXPECT_EQ(0, store(self->here, 8));
	EXPECT_PEER_SEES(elsewhere, word_of(0));
	EXPECT_PEER_SEES(self->area, 8);
	ASSERT_EQ((long)self->area, peer_call(&self->peer, SYS_mremap, elsewhere, SIZE, SIZE,
					      (long)(MREMAP_MAYMOVE | MREMAP_FIXED), self->area));
	see_all(_metadata, self->here);
}

TEST_F(pair, exporter_forks)
{
	pid_t child;

	see_all(_metadata, self->here);
	child = peer_fork(&self->peer);
	ASSERT_LT(0, child);
	EXPECT_EQ(0, xp_pages_of(self->peer.pid));
	/* Both share the pages until one writes. */
	see_all(_metadata, self->here);
	EXPECT_EQ(0, peer_store(&self->peer, self->area, 100));
	EXPECT_SEES(self->here, 100);
	/* This writes to the exporter's copy. */
	EXPECT_EQ(0, store(self->here + PAGE, 101));
	EXPECT_PEER_SEES(self->area + PAGE, 101);
	EXPECT_EQ(0, store(self->here, 102));
	EXPECT_PEER_SEES(self->area, 102);
	kill(child, SIGKILL);
}

TEST_F(pair, exporter_pages_out)
{
	see_all(_metadata, self->here);
	EXPECT_EQ(0, store(self->here, 55));
	ASSERT_EQ(0, peer_call(&self->peer, SYS_madvise, self->area, SIZE, (long)MADV_PAGEOUT));
	EXPECT_SEES(self->here, 55);
	EXPECT_SEES(self->here + PAGE, word_of(1));
	EXPECT_EQ(0, store(self->here + PAGE, 56));
	EXPECT_PEER_SEES(self->area + PAGE, 56);
}

TEST_F(pair, exporter_truncates)
{
	long file, mapping;
	int64_t segid, apid;
	char *there;

	self->peer.arg[0] = 0;
	file = peer_call(&self->peer, SYS_memfd_create, self->peer.arg, 0L);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_ftruncate, file, 2 * PAGE));
	mapping = peer_call(&self->peer, SYS_mmap, 0L, 2 * PAGE, (long)(PROT_READ | PROT_WRITE),
			    (long)MAP_SHARED, file, 0L);
	ASSERT_LT(0, mapping);
	segid = peer_make(&self->peer, self->theirs, (void *)mapping, 2 * PAGE, 0600);
	apid = xp_get(self->fd, segid, XPMEM_RDWR);
	there = (char *)xp_attach(self->fd, apid, 0, 2 * PAGE, NULL);
	ASSERT_LT(0, (int64_t)there);
	EXPECT_EQ(0, store(there, 1));
	EXPECT_EQ(0, store(there + PAGE, 2));
	ASSERT_EQ(0, peer_call(&self->peer, SYS_ftruncate, file, PAGE));
	EXPECT_SEES(there, 1);
	EXPECT_SIGNAL(SIGBUS, there + PAGE);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_ftruncate, file, 2 * PAGE));
	EXPECT_SEES(there + PAGE, 0);
	ASSERT_EQ(8, peer_call(&self->peer, SYS_pwrite64, file, self->peer.arg, 8L, 0L));
	EXPECT_SEES(there, *(uint64_t *)self->peer.arg);
}

TEST_F(pair, all_of_an_address_space)
{
	int64_t segid = peer_make(&self->peer, self->theirs, NULL, XPMEM_MAXADDR_SIZE, 0600);
	int64_t apid = xp_get(self->fd, segid, XPMEM_RDWR);
	char *there;

	ASSERT_LT(0, apid);
	there = (char *)xp_attach(self->fd, apid, (long)self->area, SIZE, NULL);
	ASSERT_LT(0, (int64_t)there);
	see_all(_metadata, there);
	/* With both an attachment and an export over it, a change reaches both. */
	ASSERT_EQ(0, peer_call(&self->peer, SYS_madvise, self->area, SIZE, (long)MADV_DONTNEED));
	EXPECT_SEES(there, 0);
	EXPECT_SEES(self->here, 0);
	EXPECT_EQ(-EINVAL, xp_attach(self->fd, apid, 1L << 47, PAGE, NULL));
}

TEST_F(pair, attached_by_the_exporter)
{
	int64_t apid = peer_get(&self->peer, self->theirs, self->segid, XPMEM_RDWR);
	char *there;

	ASSERT_LT(0, apid);
	there = (char *)peer_attach(&self->peer, self->theirs, apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)there);
	EXPECT_EQ(0, peer_store(&self->peer, there, 11));
	EXPECT_PEER_SEES(self->area, 11);
	EXPECT_EQ(-EINVAL, peer_attach(&self->peer, self->theirs, apid, 0, SIZE, self->area));
	EXPECT_EQ(-EINVAL, peer_attach(&self->peer, self->theirs, apid, 0, 2 * PAGE,
				       self->area - PAGE));
	EXPECT_PEER_SEES(self->area, 11);
	ASSERT_EQ(0, peer_call(&self->peer, SYS_madvise, self->area, SIZE, (long)MADV_DONTNEED));
	EXPECT_PEER_SEES(there, 0);
	/* What is attached cannot be attached again: it is not the process's own memory. */
	self->segid = peer_make(&self->peer, self->theirs, there, SIZE, 0600);
	apid = xp_get(self->fd, self->segid, XPMEM_RDWR);
	there = (char *)xp_attach(self->fd, apid, 0, SIZE, NULL);
	ASSERT_LT(0, (int64_t)there);
	EXPECT_SIGNAL(SIGBUS, there);
}

TEST_HARNESS_MAIN
