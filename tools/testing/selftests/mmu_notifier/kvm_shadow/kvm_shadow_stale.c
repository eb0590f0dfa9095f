// SPDX-License-Identifier: GPL-2.0
/*
 * Memory changes under a shadow that holds all of it, by reads only or with
 * the right to write. After each change the guest sees what the process sees.
 * Needs swap space.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/wait.h>

#include "ks.h"

#define SIZE		(PAGES * PAGE)
#define HUGE		(512 * PAGE)
#define HUGE_GUEST	(1UL << 40)
#define OTHER_GUEST	(1UL << 41)

FIXTURE(stale) {
	int fd;
	char *area;
};

FIXTURE_VARIANT(stale) {
	bool written;
};

FIXTURE_VARIANT_ADD(stale, read) { .written = false };
FIXTURE_VARIANT_ADD(stale, written) { .written = true };

/* Has the shadow hold these pages, each with its word. */
static int warm(int fd, __u64 guest, char *area, size_t pages, bool written)
{
	__u64 word;

	for (size_t page = 0; page < pages; page++) {
		put_word(area, page, written ? 0 : word_of(page));
		if (written ? ks_write_word(fd, guest + page * PAGE, word_of(page)) :
			      ks_read_word(fd, guest + page * PAGE, &word))
			return -1;
		if (get_word(area, page) != word_of(page))
			return -1;
	}
	return 0;
}

FIXTURE_SETUP(stale)
{
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
	self->area = area_map(PAGES);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, self->area, SIZE, 0));
	ASSERT_DONE(warm(self->fd, GUEST, self->area, PAGES, variant->written));
}

FIXTURE_TEARDOWN(stale)
{
	area_unmap(self->area, PAGES);
	close(self->fd);
}

/* All but @count pages from @first on are as they were, without a fault. */
#define EXPECT_REST_STAYS(first, count) do {				\
	__u64 _word;							\
									\
	for (size_t _page = 0; _page < PAGES; _page++) {		\
		if (_page - (first) < (size_t)(count))			\
			continue;					\
		EXPECT_EQ(0, ks_peek_word(self->fd, GUEST_PAGE(_page), &_word)); \
		EXPECT_EQ(word_of(_page), _word);			\
	}								\
} while (0)

TEST_F(stale, unmap)
{
	ASSERT_EQ(0, munmap(self->area + 3 * PAGE, 2 * PAGE));
	EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(3));
	EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(4));
	EXPECT_REST_STAYS(3, 2);
}

/* Behind it the shadow holds nothing, before it all the rest. */
TEST_F(stale, unmap_the_last)
{
	ASSERT_EQ(0, munmap(self->area + (PAGES - 1) * PAGE, PAGE));
	EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(PAGES - 1));
	EXPECT_REST_STAYS(PAGES - 1, 1);
}

TEST_F(stale, map_over)
{
	ASSERT_EQ(self->area, mmap(self->area, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST, 0);
	put_word(self->area, 0, 77);
	EXPECT_GUEST_SEES(self->fd, GUEST, 77);
	EXPECT_REST_STAYS(0, 1);
}

TEST_F(stale, dontneed)
{
	ASSERT_EQ(0, madvise(self->area + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 0);
	/* The zero page was read; what the guest writes now goes elsewhere. */
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(1), 5));
	EXPECT_EQ(5, get_word(self->area, 1));
	EXPECT_REST_STAYS(1, 1);
}

/* The process writes to a page that so far was the zero page to the guest. */
TEST_F(stale, zero_page)
{
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_DONTNEED));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), 0);
	put_word(self->area, 2, 22);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(2), 22);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(3), 0);
}

TEST_F(stale, moved_away)
{
	char *to = area_map(1);

	ASSERT_EQ(to, mremap(self->area + 7 * PAGE, PAGE, PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(7));
	EXPECT_REST_STAYS(7, 1);
	ASSERT_DONE(ks_slot(self->fd, 1, OTHER_GUEST, to, PAGE, 0));
	EXPECT_GUEST_SEES(self->fd, OTHER_GUEST, word_of(7));
	put_word(to, 0, 70);
	EXPECT_GUEST_SEES(self->fd, OTHER_GUEST, 70);
	area_unmap(to, 1);
}

TEST_F(stale, moved_over)
{
	char *from = area_map(1);

	put_word(from, 0, 55);
	ASSERT_EQ(self->area + PAGE, mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
					    self->area + PAGE));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 55);
	EXPECT_REST_STAYS(1, 1);
	area_unmap(from, 1);
}

TEST_F(stale, moved_and_left_empty)
{
	char *to = mremap(self->area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);

	ASSERT_NE(MAP_FAILED, to);
	EXPECT_GUEST_SEES(self->fd, GUEST, 0);
	EXPECT_EQ(word_of(0), get_word(to, 0));
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST, 3));
	EXPECT_EQ(word_of(0), get_word(to, 0));
	munmap(to, PAGE);
}

TEST_F(stale, write_protected)
{
	__u64 word;

	ASSERT_EQ(0, mprotect(self->area + 2 * PAGE, PAGE, PROT_READ));
	ASSERT_FAILS(EFAULT, ks_write_word(self->fd, GUEST_PAGE(2), 1));
	EXPECT_EQ(0, ks_state(self->fd, GUEST_PAGE(2)) & KVM_SHADOW_WRITABLE);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(2), word_of(2));
	ASSERT_FAILS(EFAULT, ks_write_word(self->fd, GUEST_PAGE(2), 1));
	EXPECT_EQ(word_of(2), get_word(self->area, 2));
	ASSERT_EQ(0, mprotect(self->area + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(2), 1));
	EXPECT_EQ(1, get_word(self->area, 2));
	EXPECT_EQ(0, ks_peek_word(self->fd, GUEST_PAGE(3), &word));
}

TEST_F(stale, protected)
{
	ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_NONE));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(page));
	ASSERT_EQ(0, mprotect(self->area, SIZE, PROT_READ | PROT_WRITE));
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
}

/*
 * A child that shares the pages until one of the two writes. Told to, it writes
 * to its second page; it ends well if it does not see what its parent wrote.
 */
static void shares_pages(void *arg)
{
	int *pipes = ((void **)arg)[0];
	char *area = ((void **)arg)[1], c;

	if (read(pipes[0], &c, 1) != 1)
		_exit(1);
	put_word(area, 1, 0xc);
	if (write(pipes[3], "", 1) != 1 || read(pipes[0], &c, 1) != 1)
		_exit(2);
	_exit(get_word(area, 0) != word_of(0) || get_word(area, 1) != 0xc ||
	      get_word(area, 2) != word_of(2));
}

TEST_F(stale, fork)
{
	int pipes[4];
	void *arg[] = { pipes, self->area };
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, pipe(pipes + 2));
	child = child_start(shares_pages, arg);
	/* The process writes: its page is another one now. */
	put_word(self->area, 0, 0xa);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(0), 0xa);
	/* The guest writes: it must not write to what the child still sees. */
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(2), 0xb));
	EXPECT_EQ(0xb, get_word(self->area, 2));
	/* The child writes: nobody else sees it. */
	ASSERT_EQ(1, write(pipes[1], "", 1));
	ASSERT_EQ(1, read(pipes[2], &c, 1));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), word_of(1));
	EXPECT_EQ(word_of(1), get_word(self->area, 1));
	ASSERT_EQ(1, write(pipes[1], "", 1));
	EXPECT_EQ(0, child_wait(child));
	/* The other sharer is gone, the page may be written in place. */
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(3), 0xd));
	EXPECT_EQ(0xd, get_word(self->area, 3));
}

TEST_F(stale, swapped_out)
{
	size_t out = 0;

	/* What is in a batch of another processor cannot be reclaimed yet; this empties them. */
	ASSERT_DONE(write_file("/proc/sys/vm/drop_caches", "1"));
	ASSERT_EQ(0, madvise(self->area, SIZE, MADV_PAGEOUT));
	for (size_t page = 0; page < PAGES; page++) {
		if (swapped_out(self->area + page * PAGE) == 1) {
			out++;
			EXPECT_EQ(0, ks_state(self->fd, GUEST_PAGE(page)));
		}
	}
	EXPECT_LT(0, out) TH_LOG("no swap space?");
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
	put_word(self->area, 4, 44);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(4), 44);
}

#define KSM	"/sys/kernel/mm/ksm/"

static long number_in(const char *path)
{
	char text[32] = {};
	int file = open(path, O_RDONLY | O_CLOEXEC);
	long number = read(file, text, sizeof(text) - 1) > 0 ? atol(text) : -1;

	close(file);
	return number;
}

/* Pages of equal content become one, which is copied when somebody writes. */
TEST_F_TIMEOUT(stale, merged, 120)
{
	for (size_t page = 0; page < PAGES; page++)
		put_word(self->area, page, 0x5a5a);
	if (madvise(self->area, SIZE, MADV_MERGEABLE))
		SKIP(return, "MADV_MERGEABLE: %s", strerror(errno));
	write_file(KSM "sleep_millisecs", "0");
	ASSERT_DONE(write_file(KSM "run", "1"));
	while (number_in("/proc/self/ksm_merging_pages") < PAGES)
		sched_yield();
	for (size_t page = 0; page < PAGES; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), 0x5a5a);
	put_word(self->area, 1, 1);
	EXPECT_EQ(0, ks_write_word(self->fd, GUEST_PAGE(2), 2));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(0), 0x5a5a);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 1);
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(2), 2);
	EXPECT_EQ(0x5a5a, get_word(self->area, 0));
	EXPECT_EQ(2, get_word(self->area, 2));
	/* And unmerged while the guest reads. */
	ASSERT_DONE(write_file(KSM "run", "2"));
	EXPECT_EQ(0, number_in(KSM "pages_shared"));
	for (size_t page = 3; page < PAGES; page++)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), 0x5a5a);
	ASSERT_DONE(write_file(KSM "run", "0"));
}

/* Returns the process's only huge page's worth of memory, aligned, in small or huge pages. */
static char *huge_area(int advice)
{
	char *space = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *area = (char *)(((uintptr_t)space + HUGE - 1) & ~(HUGE - 1));

	if (space == MAP_FAILED || mprotect(area, HUGE, PROT_READ | PROT_WRITE) ||
	    madvise(area, HUGE, advice))
		return NULL;
	return area;
}

TEST_F(stale, huge_page_split)
{
	char *area = huge_area(MADV_HUGEPAGE);

	ASSERT_NE(NULL, area);
	put_word(area, 0, 1);
	ASSERT_DONE(ks_slot(self->fd, 1, HUGE_GUEST, area, HUGE, 0));
	ASSERT_DONE(warm(self->fd, HUGE_GUEST, area, 512, variant->written));
	ASSERT_EQ(0, madvise(area + 100 * PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, mprotect(area + 200 * PAGE, PAGE, PROT_READ));
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + 100 * PAGE, 0);
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + 200 * PAGE, word_of(200));
	ASSERT_FAILS(EFAULT, ks_write_word(self->fd, HUGE_GUEST + 200 * PAGE, 1));
	for (size_t page = 300; page < 512; page += 50) {
		put_word(area, page, page);
		EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + page * PAGE, page);
	}
	munmap(area, HUGE);
}

TEST_F(stale, huge_page_collapse)
{
	char *area = huge_area(MADV_NOHUGEPAGE);

	ASSERT_NE(NULL, area);
	ASSERT_DONE(ks_slot(self->fd, 1, HUGE_GUEST, area, HUGE, 0));
	ASSERT_DONE(warm(self->fd, HUGE_GUEST, area, 512, variant->written));
	/* All pages are copied into another: one that were still in use would be in its way. */
	ASSERT_EQ(0, madvise(area, HUGE, MADV_HUGEPAGE));
	ASSERT_EQ(0, madvise(area, HUGE, MADV_COLLAPSE)) TH_LOG("%s", strerror(errno));
	for (size_t page = 0; page < 512; page++) {
		EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + page * PAGE, word_of(page));
		put_word(area, page, page);
		EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + page * PAGE, page);
	}
	munmap(area, HUGE);
}

TEST_F(stale, truncated)
{
	int file = memory_file(4, 0);
	char *area = area_map_file(file, 4);

	ASSERT_DONE(ks_slot(self->fd, 1, HUGE_GUEST, area, 4 * PAGE, 0));
	ASSERT_DONE(warm(self->fd, HUGE_GUEST, area, 4, variant->written));
	ASSERT_EQ(0, fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + PAGE, 0);
	ASSERT_EQ(0, ftruncate(file, 2 * PAGE));
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST, word_of(0));
	EXPECT_GUEST_FAULTS(self->fd, HUGE_GUEST + 2 * PAGE);
	EXPECT_GUEST_FAULTS(self->fd, HUGE_GUEST + 3 * PAGE);
	ASSERT_EQ(0, ftruncate(file, 4 * PAGE));
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + 3 * PAGE, 0);
	area_unmap(area, 4);
	close(file);
}

/* A private mapping shows the file until the process writes. */
TEST_F(stale, copied_from_a_file)
{
	int file = memory_file(2, 0);
	char *area;
	__u64 word;

	ASSERT_EQ(8, pwrite(file, &(__u64){ 11 }, 8, 0));
	ASSERT_EQ(8, pwrite(file, &(__u64){ 12 }, 8, PAGE));
	area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_DONE(ks_slot(self->fd, 1, HUGE_GUEST, area, 2 * PAGE, 0));
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST, 11);
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST + PAGE, 12);
	put_word(area, 0, 21);
	EXPECT_GUEST_SEES(self->fd, HUGE_GUEST, 21);
	EXPECT_EQ(0, ks_write_word(self->fd, HUGE_GUEST + PAGE, 22));
	EXPECT_EQ(22, get_word(area, 1));
	ASSERT_EQ(8, pread(file, &word, 8, 0));
	EXPECT_EQ(11, word);
	ASSERT_EQ(8, pread(file, &word, 8, PAGE));
	EXPECT_EQ(12, word);
	munmap(area, 2 * PAGE);
	close(file);
}

/* What the guest writes after soft-dirty was cleared counts as written to. */
TEST_F(stale, soft_dirty)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	const off_t at = (off_t)((uintptr_t)self->area / PAGE * 8);
	__u64 entry;

	ASSERT_DONE(write_file("/proc/self/clear_refs", "4"));
	ASSERT_EQ(8, pread(file, &entry, 8, at));
	if (entry >> 55 & 1)
		SKIP(return, "no soft-dirty bits in this kernel");
	ASSERT_DONE(ks_write_word(self->fd, GUEST, 1));
	ASSERT_EQ(8, pread(file, &entry, 8, at));
	EXPECT_EQ(1, entry >> 55 & 1);
	ASSERT_EQ(8, pread(file, &entry, 8, at + 8));
	EXPECT_EQ(0, entry >> 55 & 1);
	close(file);
}

TEST_HARNESS_MAIN
