// SPDX-License-Identifier: GPL-2.0
/* Kinds of memory: what has pages serves as guest memory, what has none or hides them does not. */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "ks.h"

#define HUGE	(512 * PAGE)

FIXTURE(kinds) {
	int fd;
};

FIXTURE_SETUP(kinds)
{
	self->fd = ks_open();
	ASSERT_LE(0, self->fd) TH_LOG("no %s: load the module", KVM_SHADOW_DEVICE);
}

FIXTURE_TEARDOWN(kinds)
{
	close(self->fd);
}

static void exits(void *arg)
{
	(void)arg;
}

TEST_F(kinds, hugetlb)
{
	char *area;

	write_file("/proc/sys/vm/nr_hugepages", "4");
	area = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (area == MAP_FAILED)
		SKIP(return, "no huge pages: %s", strerror(errno));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, HUGE, 0));
	for (size_t page = 0; page < 512; page += 100) {
		put_word(area, page, word_of(page));
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), word_of(page));
		ASSERT_DONE(ks_write_word(self->fd, GUEST_PAGE(page), page));
		EXPECT_EQ(page, get_word(area, page));
	}
	/* Shared with a child and copied, given back, unmapped. */
	EXPECT_EQ(0, child_wait(child_start(exits, NULL)));
	ASSERT_DONE(ks_write_word(self->fd, GUEST, 7));
	EXPECT_EQ(7, get_word(area, 0));
	ASSERT_EQ(0, madvise(area, HUGE, MADV_DONTNEED));
	for (size_t page = 0; page < 512; page += 100)
		EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(page), 0);
	ASSERT_EQ(0, munmap(area, HUGE));
	for (size_t page = 0; page < 512; page += 100)
		EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(page));
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* Another process maps the same file: each sees the other's writes. */
struct sharer {
	char *area;
	int told;
	int tells;
};

static void shares(void *arg)
{
	struct sharer *it = arg;
	char c;

	if (read(it->told, &c, 1) != 1 || get_word(it->area, 0) != 5)
		_exit(1);
	put_word(it->area, 1, 6);
	if (write(it->tells, "", 1) != 1)
		_exit(2);
}

TEST_F(kinds, shared_file)
{
	int file = memory_file(2, 0), to[2], from[2];
	char *area = area_map_file(file, 2);
	struct sharer sharer;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	sharer = (struct sharer){ area, to[0], from[1] };
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, 2 * PAGE, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 1);
	child = child_start(shares, &sharer);
	ASSERT_DONE(ks_write_word(self->fd, GUEST, 5));
	ASSERT_EQ(1, write(to[1], "", 1));
	ASSERT_EQ(1, read(from[0], &c, 1));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 6);
	EXPECT_EQ(0, child_wait(child));
	area_unmap(area, 2);
	close(file);
}

/* A file may be mapped to read only, and a page of it may not be there. */
TEST_F(kinds, read_only_file)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *area = mmap(NULL, 1UL << 30, PROT_READ, MAP_PRIVATE, file, 0);
	__u64 word, wanted;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(sizeof(wanted), pread(file, &wanted, sizeof(wanted), 0));
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, 1UL << 30, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST, wanted);
	ASSERT_FAILS(EFAULT, ks_write_word(self->fd, GUEST, 0));
	EXPECT_GUEST_FAULTS(self->fd, GUEST + (1UL << 30) - PAGE);
	ASSERT_DONE(ks_peek_word(self->fd, GUEST, &word));
	munmap(area, 1UL << 30);
	close(file);
}

/* Memory that is not even the kernel's to read. */
TEST_F(kinds, secret)
{
	int file = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	char *area;

	if (file < 0)
		SKIP(return, "memfd_secret: %s", strerror(errno));
	ASSERT_EQ(0, ftruncate(file, PAGE));
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, area);
	put_word(area, 0, 1);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, PAGE, 0));
	EXPECT_GUEST_FAULTS(self->fd, GUEST);
	munmap(area, PAGE);
	close(file);
}

/* Returns where a line of the process's map with this name begins. */
static void *find_mapping(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, name)) {
			start = strtoul(line, NULL, 16);
			break;
		}
	}
	if (maps)
		fclose(maps);
	return (void *)start;
}

/* Mapped, and readable by the process, but without pages that may be held. */
TEST_F(kinds, without_pages)
{
	void *vvar = find_mapping("[vvar]");

	if (!vvar)
		SKIP(return, "no [vvar] mapping");
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, vvar, PAGE, 0));
	EXPECT_GUEST_FAULTS(self->fd, GUEST);
}

/* Code of the kernel's that each process has: to read, not to write. */
TEST_F(kinds, vdso)
{
	void *vdso = find_mapping("[vdso]");

	if (!vdso)
		SKIP(return, "no [vdso] mapping");
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, vdso, PAGE, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST, *(__u64 *)vdso);
	ASSERT_FAILS(EFAULT, ks_write_word(self->fd, GUEST, 0));
}

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

TEST_F(kinds, guard_pages)
{
	char *area = area_map(3);

	put_word(area, 1, 1);
	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, 3 * PAGE, 0));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 1);
	if (madvise(area + PAGE, PAGE, MADV_GUARD_INSTALL))
		SKIP(return, "MADV_GUARD_INSTALL: %s", strerror(errno));
	EXPECT_GUEST_FAULTS(self->fd, GUEST_PAGE(1));
	ASSERT_EQ(0, madvise(area + PAGE, PAGE, MADV_GUARD_REMOVE));
	EXPECT_GUEST_SEES(self->fd, GUEST_PAGE(1), 0);
	area_unmap(area, 3);
}

/* What was given back lazily holds the old content or none; what the guest writes then stays. */
TEST_F(kinds, lazily_freed)
{
	char *area = area_map(1);
	__u64 word;

	ASSERT_DONE(ks_slot(self->fd, 0, GUEST, area, PAGE, 0));
	for (int reads_first = 0; reads_first < 2; reads_first++) {
		ASSERT_DONE(ks_write_word(self->fd, GUEST, 3));
		ASSERT_EQ(0, madvise(area, PAGE, MADV_FREE));
		if (reads_first)
			ASSERT_DONE(ks_read_word(self->fd, GUEST, &word));
		ASSERT_DONE(ks_write_word(self->fd, GUEST, 4));
		/* Reclaim throws away what is still as it was given back. */
		ASSERT_EQ(0, madvise(area, PAGE, MADV_PAGEOUT));
		EXPECT_GUEST_SEES(self->fd, GUEST, 4);
	}
	area_unmap(area, 1);
}

TEST_HARNESS_MAIN
