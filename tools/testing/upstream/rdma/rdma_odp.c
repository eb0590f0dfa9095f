// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Memory behind a region on demand changes, and a remote side goes on using it:
 * it must see and change what the processor sees, never what was there before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "verbs.h"

#define PAGE	4096UL
#define PAGES	32UL
#define SIZE	(PAGES * PAGE)
#define HUGE	(2UL << 20)
#define ROUNDS	300
/* Only to end what hangs. */
#define SECONDS	240

static unsigned char *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Other words each time, and others on each page. */
static void fill(void *area, size_t size)
{
	static uint64_t stamp;

	for (size_t at = 0; at < size; at += sizeof(stamp))
		*(volatile uint64_t *)((char *)area + at) = ++stamp << 16 | 0x0d9;
}

static uint64_t page_map(const void *addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (uintptr_t)addr / PAGE * sizeof(entry)) < 0)
		entry = 0;
	close(fd);
	return entry;
}

static bool swapped(const void *addr)
{
	return page_map(addr) >> 62 & 1;
}

static uint64_t frame(const void *addr)
{
	uint64_t entry = page_map(addr);

	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* How much of the mapping that begins at `area` is behind huge pages. */
static size_t huge(const void *area)
{
	char line[256];
	unsigned long start, end, kilobytes;
	bool inside = false;
	size_t found = 0;
	FILE *maps = fopen("/proc/self/smaps", "r");

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start == (uintptr_t)area;
		else if (inside && sscanf(line, "AnonHugePages: %lu", &kilobytes) == 1)
			found = kilobytes << 10;
	}
	if (maps)
		fclose(maps);
	return found;
}

FIXTURE(odp)
{
	struct verbs verbs;
	unsigned char *area;
	struct ibv_mr *mr;
};

FIXTURE_SETUP(odp)
{
	const char *wrong = verbs_open(&self->verbs);

	ASSERT_EQ(wrong, NULL)
		TH_LOG("%s", wrong);
	self->area = map(SIZE);
	ASSERT_NE(self->area, MAP_FAILED);
	self->mr = verbs_on_demand(&self->verbs, self->area, SIZE);
	ASSERT_NE(self->mr, NULL);
}

FIXTURE_TEARDOWN(odp)
{
	EXPECT_EQ(ibv_dereg_mr(self->mr), 0);
	verbs_close(&self->verbs);
}

/* Where two areas differ first. */
static const char *differ(const char *what, const unsigned char *remote, const unsigned char *area,
			  size_t size)
{
	static char said[256];

	for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t has = *(uint64_t *)(remote + at), wanted = *(uint64_t *)(area + at);

		if (has != wanted) {
			snprintf(said, sizeof(said), "%s: byte %zu of %zu: %llx, here %llx", what, at,
				 size, (unsigned long long)has, (unsigned long long)wanted);
			return said;
		}
	}
	return NULL;
}

/* Both sides see the same; then what either writes, the other sees. */
static const char *agrees(struct verbs *verbs, const struct ibv_mr *mr, unsigned char *area,
			  size_t size)
{
	if (verbs_read(verbs, mr, area, size))
		return "the remote side cannot read";
	if (memcmp(verbs->buffer, area, size))
		return differ("the remote side reads what is not there", verbs->buffer, area, size);
	fill(area, size);
	if (verbs_read(verbs, mr, area, size))
		return "the remote side cannot read what was just written";
	if (memcmp(verbs->buffer, area, size))
		return differ("the remote side does not read what was just written", verbs->buffer,
			      area, size);
	fill(verbs->buffer, size);
	if (verbs_write(verbs, mr, area, size))
		return "the remote side cannot write";
	if (memcmp(verbs->buffer, area, size))
		return differ("what the remote side wrote is not there", verbs->buffer, area, size);
	return NULL;
}

#define EXPECT_AGREES(area, size) do {						\
	const char *wrong_ = agrees(&self->verbs, self->mr, area, size);	\
	EXPECT_EQ(wrong_, NULL)							\
		TH_LOG("%s", wrong_);						\
} while (0)

/* The device has all of it, for writing. */
#define HOLD() do {								\
	fill(self->area, SIZE);							\
	EXPECT_AGREES(self->area, SIZE);					\
} while (0)

#define EXPECT_REMOTE_READS(area, size) do {					\
	ASSERT_EQ(verbs_read(&self->verbs, self->mr, area, size), IBV_WC_SUCCESS); \
	EXPECT_EQ(memcmp(self->verbs.buffer, area, size), 0)			\
		TH_LOG("the remote side reads what is not there");		\
} while (0)

/* A refused access ends the connection. */
#define EXPECT_REFUSED(operation, area) do {					\
	int status_ = operation(&self->verbs, self->mr, area, PAGE);		\
	EXPECT_NE(status_, IBV_WC_SUCCESS);					\
	EXPECT_NE(status_, IBV_WC_RESP_TIMEOUT_ERR);				\
	verbs_disconnect(&self->verbs);						\
	ASSERT_EQ(verbs_connect(&self->verbs), NULL);				\
} while (0)

#define TEST_ODP(name) TEST_F_TIMEOUT(odp, name, SECONDS)

TEST_ODP(device_says_what_it_can)
{
	uint32_t wanted = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_WRITE |
			  IBV_ODP_SUPPORT_READ | IBV_ODP_SUPPORT_ATOMIC;
	struct ibv_odp_caps *caps = &self->verbs.device.odp_caps;

	EXPECT_TRUE(caps->general_caps & IBV_ODP_SUPPORT);
	EXPECT_EQ(caps->per_transport_caps.rc_odp_caps & wanted, wanted);
}

TEST_ODP(implicit)
{
	struct ibv_mr *all = verbs_on_demand(&self->verbs, NULL, SIZE_MAX);

	if (!(self->verbs.device.odp_caps.general_caps & IBV_ODP_SUPPORT_IMPLICIT)) {
		EXPECT_EQ(all, NULL);
		SKIP(return, "the device has no implicit regions on demand");
	}
	ASSERT_NE(all, NULL);
	EXPECT_EQ(agrees(&self->verbs, all, self->area, SIZE), NULL);
	EXPECT_EQ(ibv_dereg_mr(all), 0);
}

/* Nothing is there before the remote side comes. */
TEST_ODP(write_brings_pages_in)
{
	EXPECT_EQ(frame(self->area), 0);
	fill(self->verbs.buffer, SIZE);
	ASSERT_EQ(verbs_write(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_NE(frame(self->area), 0);
	EXPECT_EQ(memcmp(self->verbs.buffer, self->area, SIZE), 0);
}

TEST_ODP(send_and_receive)
{
	HOLD();
	ASSERT_EQ(madvise(self->area, SIZE, MADV_DONTNEED), 0);
	fill(self->verbs.buffer, SIZE);
	ASSERT_EQ(verbs_send(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_EQ(memcmp(self->verbs.buffer, self->area, SIZE), 0);
	EXPECT_AGREES(self->area, SIZE);
}

/*
 * rxe of some kernels takes any part of a page for its beginning, and any page of a packet for
 * the first. All the others are of whole pages, one a packet.
 */
TEST_ODP(part_of_a_page)
{
	const size_t quarter = PAGE / 4;

	fill(self->area, SIZE);
	ASSERT_EQ(verbs_read(&self->verbs, self->mr, self->area + quarter, quarter),
		  IBV_WC_SUCCESS);
	if (!memcmp(self->verbs.buffer, self->area, quarter))
		SKIP(return, "the driver does not look where in the page it is");
	EXPECT_EQ(memcmp(self->verbs.buffer, self->area + quarter, quarter), 0);
}

TEST_ODP(atomic)
{
	uint64_t *word = (uint64_t *)self->area;

	HOLD();
	ASSERT_EQ(madvise(self->area, SIZE, MADV_DONTNEED), 0);
	*word = 40;
	ASSERT_EQ(verbs_add(&self->verbs, self->mr, word, 2), IBV_WC_SUCCESS);
	EXPECT_EQ(*(uint64_t *)self->verbs.buffer, 40);
	EXPECT_EQ(*word, 42);
}

TEST_ODP(dontneed)
{
	static const unsigned char zeros[SIZE];

	HOLD();
	ASSERT_EQ(madvise(self->area, SIZE, MADV_DONTNEED), 0);
	ASSERT_EQ(verbs_read(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_EQ(memcmp(self->verbs.buffer, zeros, SIZE), 0)
		TH_LOG("the remote side reads what was thrown away");
	EXPECT_AGREES(self->area, SIZE);
}

TEST_ODP(mapped_anew)
{
	HOLD();
	ASSERT_EQ(mmap(self->area, SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), self->area);
	fill(self->area, SIZE);
	EXPECT_AGREES(self->area, SIZE);
}

TEST_ODP(unmapped)
{
	HOLD();
	ASSERT_EQ(munmap(self->area, SIZE), 0);
	EXPECT_REFUSED(verbs_read, self->area);
	EXPECT_REFUSED(verbs_write, self->area);
	ASSERT_EQ(mmap(self->area, SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), self->area);
	EXPECT_AGREES(self->area, SIZE);
}

TEST_ODP(moved_over)
{
	unsigned char *other = map(SIZE), *away = map(SIZE);

	HOLD();
	fill(other, SIZE);
	ASSERT_EQ(mremap(self->area, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, away), away);
	ASSERT_EQ(mremap(other, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, self->area), self->area);
	EXPECT_AGREES(self->area, SIZE);
	memcpy(self->verbs.buffer, away, SIZE);
	fill(self->area, SIZE);
	EXPECT_EQ(memcmp(self->verbs.buffer, away, SIZE), 0);
	munmap(away, SIZE);
}

/* The child must keep what was there; it tells so by its exit status. */
static int kept_by_child(struct __test_metadata *_metadata, unsigned char *area, int go[2])
{
	unsigned char *before = map(SIZE);
	pid_t child;
	char c;

	memcpy(before, area, SIZE);
	ASSERT_EQ(pipe(go), 0);
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		close(go[1]);
		while (read(go[0], &c, 1) < 0 && errno == EINTR)
			;
		_exit(!!memcmp(before, area, SIZE));
	}
	close(go[0]);
	munmap(before, SIZE);
	return child;
}

#define EXPECT_KEPT(child, go) do {						\
	int status_;								\
	close((go)[1]);								\
	ASSERT_EQ(waitpid(child, &status_, 0), child);				\
	EXPECT_EQ(status_, 0)							\
		TH_LOG("the child sees what was written after the fork");	\
} while (0)

TEST_ODP(remote_write_after_fork)
{
	int go[2], child;

	HOLD();
	child = kept_by_child(_metadata, self->area, go);
	fill(self->verbs.buffer, SIZE);
	EXPECT_EQ(verbs_write(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_EQ(memcmp(self->verbs.buffer, self->area, SIZE), 0);
	EXPECT_KEPT(child, go);
	EXPECT_AGREES(self->area, SIZE);
}

TEST_ODP(write_after_fork)
{
	int go[2], child;

	HOLD();
	child = kept_by_child(_metadata, self->area, go);
	fill(self->area, SIZE);
	EXPECT_REMOTE_READS(self->area, SIZE);
	EXPECT_AGREES(self->area, SIZE);
	EXPECT_KEPT(child, go);
}

TEST_ODP(protected)
{
	HOLD();
	ASSERT_EQ(mprotect(self->area, SIZE, PROT_READ), 0);
	EXPECT_REMOTE_READS(self->area, SIZE);
	fill(self->verbs.buffer, PAGE);
	EXPECT_REFUSED(verbs_write, self->area);
	EXPECT_NE(memcmp(self->verbs.buffer, self->area, PAGE), 0);
	ASSERT_EQ(mprotect(self->area, SIZE, PROT_NONE), 0);
	EXPECT_REFUSED(verbs_read, self->area);
	ASSERT_EQ(mprotect(self->area, SIZE, PROT_READ | PROT_WRITE), 0);
	EXPECT_AGREES(self->area, SIZE);
}

TEST_ODP(migrated)
{
	void *addrs[PAGES];
	int nodes[PAGES], status[PAGES], was[PAGES];
	uint64_t before;

	HOLD();
	before = frame(self->area);
	for (unsigned int i = 0; i < PAGES; i++)
		addrs[i] = self->area + i * PAGE;
	ASSERT_EQ(syscall(SYS_move_pages, 0, PAGES, addrs, NULL, was, 0), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		nodes[i] = !was[i];
	if (syscall(SYS_move_pages, 0, PAGES, addrs, nodes, status, MPOL_MF_MOVE) < 0)
		SKIP(return, "there is no second node: %s", strerror(errno));
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(status[i], nodes[i]);
	EXPECT_NE(frame(self->area), before);
	EXPECT_AGREES(self->area, SIZE);
}

/* What is on its way to a list in any processor's batch cannot go yet: this empties them. */
static bool settle(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	bool done = fd >= 0 && write(fd, "1", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Until all has gone: a page that another processor just looks at stays at first. */
static bool page_out(unsigned char *area, size_t size)
{
	bool gone = false;

	for (unsigned int tries = 0; !gone && tries < 100; tries++) {
		if (!settle() || madvise(area, size, MADV_PAGEOUT))
			return false;
		gone = true;
		for (size_t at = 0; at < size; at += PAGE)
			gone &= swapped(area + at);
	}
	return gone;
}

TEST_ODP(paged_out)
{
	HOLD();
	ASSERT_TRUE(page_out(self->area, SIZE));
	EXPECT_AGREES(self->area, SIZE);
	/* And when nobody but the remote side has come back to it. */
	memcpy(self->verbs.buffer + SIZE, self->area, SIZE);
	ASSERT_TRUE(page_out(self->area, SIZE));
	ASSERT_EQ(verbs_read(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_EQ(memcmp(self->verbs.buffer, self->verbs.buffer + SIZE, SIZE), 0);
}

TEST_ODP(file_truncated)
{
	static const unsigned char zeros[SIZE];
	int fd = memfd_create("rdma_odp", 0);

	ASSERT_EQ(ftruncate(fd, SIZE), 0);
	ASSERT_EQ(mmap(self->area, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
		  self->area);
	HOLD();
	ASSERT_EQ(ftruncate(fd, 0), 0);
	EXPECT_REFUSED(verbs_read, self->area);
	ASSERT_EQ(ftruncate(fd, SIZE), 0);
	ASSERT_EQ(verbs_read(&self->verbs, self->mr, self->area, SIZE), IBV_WC_SUCCESS);
	EXPECT_EQ(memcmp(self->verbs.buffer, zeros, SIZE), 0);
	EXPECT_AGREES(self->area, SIZE);
	close(fd);
}

FIXTURE(odp_huge)
{
	struct verbs verbs;
	unsigned char *area;
	struct ibv_mr *mr;
};

FIXTURE_SETUP(odp_huge)
{
	const char *wrong = verbs_open(&self->verbs);
	unsigned char *room = map(2 * HUGE);

	ASSERT_EQ(wrong, NULL)
		TH_LOG("%s", wrong);
	ASSERT_NE(room, MAP_FAILED);
	self->area = (unsigned char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	/* An area of its own in the list of them. */
	ASSERT_EQ(mprotect(room, 2 * HUGE, PROT_NONE), 0);
	ASSERT_EQ(mprotect(self->area, HUGE, PROT_READ | PROT_WRITE), 0);
	self->mr = verbs_on_demand(&self->verbs, self->area, HUGE);
	ASSERT_NE(self->mr, NULL);
}

FIXTURE_TEARDOWN(odp_huge)
{
	EXPECT_EQ(ibv_dereg_mr(self->mr), 0);
	verbs_close(&self->verbs);
}

TEST_F_TIMEOUT(odp_huge, collapsed, SECONDS)
{
	ASSERT_EQ(madvise(self->area, HUGE, MADV_NOHUGEPAGE), 0);
	fill(self->area, HUGE);
	EXPECT_AGREES(self->area, HUGE);
	EXPECT_EQ(huge(self->area), 0);
	ASSERT_EQ(madvise(self->area, HUGE, MADV_HUGEPAGE), 0);
	ASSERT_EQ(madvise(self->area, HUGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(huge(self->area), HUGE);
	EXPECT_AGREES(self->area, HUGE);
}

TEST_F_TIMEOUT(odp_huge, split, SECONDS)
{
	ASSERT_EQ(madvise(self->area, HUGE, MADV_HUGEPAGE), 0);
	fill(self->area, HUGE);
	if (huge(self->area) != HUGE)
		SKIP(return, "no huge page was to be had");
	EXPECT_AGREES(self->area, HUGE);
	ASSERT_EQ(madvise(self->area + 7 * PAGE, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(huge(self->area), 0);
	EXPECT_AGREES(self->area, HUGE);
	ASSERT_TRUE(page_out(self->area, HUGE));
	EXPECT_AGREES(self->area, HUGE);
}

/* One page is exchanged for the next generation of it, again and again, while it is read. */
struct generations {
	unsigned char *page;
	_Atomic uint64_t current;
	atomic_bool stop, failed;
};

static void *exchange(void *argument)
{
	struct generations *all = argument;

	for (uint64_t next = 1; !all->stop; next++) {
		unsigned char *page = map(PAGE);

		if (page == MAP_FAILED)
			break;
		*(volatile uint64_t *)page = next;
		/* At once: there is no moment without a page. */
		if (mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, all->page) != all->page)
			break;
		all->current = next;
	}
	all->failed = !all->stop;
	return NULL;
}

TEST_ODP(never_older_than_when_asked)
{
	struct generations all = { .page = self->area };
	uint64_t before, seen, different = 0, last = 0;
	pthread_t thread;

	HOLD();
	*(volatile uint64_t *)self->area = 0;
	ASSERT_EQ(pthread_create(&thread, NULL, exchange, &all), 0);
	/* Until it is known to have met changes. */
	for (unsigned int i = 0; i < ROUNDS || different < 20; i++) {
		before = all.current;
		ASSERT_EQ(verbs_read(&self->verbs, self->mr, self->area, PAGE), IBV_WC_SUCCESS);
		seen = *(uint64_t *)self->verbs.buffer;
		ASSERT_GE(seen, before);
		ASSERT_LE(seen, all.current + 1);
		different += seen != last;
		last = seen;
		ASSERT_FALSE(all.failed);
	}
	all.stop = true;
	pthread_join(thread, NULL);
	EXPECT_AGREES(self->area, SIZE);
}

TEST_HARNESS_MAIN
