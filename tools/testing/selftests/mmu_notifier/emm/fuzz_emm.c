// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_emm [seed [operations]]: random calls of /dev/emm while memory comes and
 * goes. The kernel must stay whole, every errno be one that emm.h knows, and
 * what is read make sense.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "mnt.h"
#include "emm_user.h"

#define FILES	3
#define PAGES	8

static uint64_t seed;
static char *area, *arguments;

static uint64_t next_random(void)
{
	uint64_t x = seed += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t below(uint64_t limit)
{
	return next_random() % limit;
}

static uint64_t some_number(void)
{
	static const uint64_t edges[] = {
		0, 2, PAGE, EMM_RECORDS, 1UL << 32, 1UL << 47, 1UL << 63, -PAGE,
	};

	if (!below(8))
		return next_random();
	return edges[below(sizeof(edges) / sizeof(*edges))] + below(5) - 2;
}

static uint64_t some_address(void)
{
	return below(8) ? (uintptr_t)area + below(PAGES * PAGE) : some_number();
}

/* In the page of arguments, across its end, or anywhere. */
static void *place(const void *argument, size_t size)
{
	char *at = arguments + PAGE - size + (below(16) ? 0 : below(size));

	if (!below(32))
		return (void *)some_number();
	if (at + size <= arguments + PAGE)
		memcpy(at, argument, size);
	return at;
}

static void expect(const char *what, int ret, int one, int other)
{
	if (ret && errno != one && errno != other)
		ksft_exit_fail_msg("%s: %s\n", what, strerror(errno));
}

static void fuzz_read(int fd)
{
	struct emm_record *records = (void *)arguments;
	struct emm_read arg = {
		below(4) ? (uintptr_t)records : some_address(),
		below(4) ? 1 + below(PAGE / sizeof(*records) - 1) : some_number(),
	};
	struct emm_read *at = place(&arg, sizeof(arg));
	int ret = ioctl(fd, EMM_READ, at);

	expect("EMM_READ", ret, EINVAL, EFAULT);
	if (ret || (char *)at != arguments + PAGE - sizeof(arg) ||
	    arg.records != (uintptr_t)records ||
	    arg.count * sizeof(*records) > PAGE - sizeof(arg))
		return;
	if (at->count > arg.count)
		ksft_exit_fail_msg("%u records for %u\n", at->count, arg.count);
	for (unsigned int i = 0; i < at->count; i++)
		if (records[i].start >= records[i].end ||
		    records[i].operation >= EMM_OPERATIONS ||
		    records[i].flags > EMM_BLOCKABLE ||
		    (i && records[i].order != records[i - 1].order + 1))
			ksft_exit_fail_msg("record %u makes no sense\n", i);
}

/* What the kernel itself answers, for files of any kind. */
static bool of_every_file(unsigned long cmd)
{
	static const unsigned char types[] = { 0, 'T', 'X', 'f', 0x12, 0x15, 0x94 };

	return memchr(types, _IOC_TYPE(cmd), sizeof(types));
}

static void fuzz_number(int fd)
{
	unsigned long cmd = below(2) ? next_random() & 0xffffffff :
				       _IOC(below(4), 0xB8, below(8), below(64));

	if (cmd == EMM_WATCH || cmd == EMM_READ || cmd == EMM_COUNTS ||
	    cmd == EMM_ANSWER || of_every_file(cmd))
		return;
	if (ioctl(fd, cmd, arguments) != -1 || errno != ENOTTY)
		ksft_exit_fail_msg("number %#lx: %s\n", cmd, strerror(errno));
}

static void change_memory(void)
{
	char *at = area + below(PAGES) * PAGE;

	switch (below(4)) {
	case 0:
		munmap(at, PAGE);
		break;
	case 1:
		mmap(at, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
		break;
	case 2:
		mprotect(at, PAGE, below(2) ? PROT_READ : PROT_READ | PROT_WRITE);
		break;
	case 3:
		madvise(at, PAGE, MADV_DONTNEED);
		break;
	}
}

static void one_operation(int *files)
{
	int *fd = &files[below(FILES)];
	uint64_t start = some_address();
	struct emm_watch watch = { start, start + some_number() };
	struct emm_counts counts;

	switch (below(8)) {
	case 0:
		expect("EMM_WATCH", ioctl(*fd, EMM_WATCH, place(&watch, sizeof(watch))),
		       EINVAL, EFAULT);
		break;
	case 1:
	case 2:
		fuzz_read(*fd);
		break;
	case 3:
		expect("EMM_COUNTS",
		       ioctl(*fd, EMM_COUNTS, place(&counts, sizeof(counts))),
		       EFAULT, EFAULT);
		break;
	case 4:
		expect("EMM_ANSWER", ioctl(*fd, EMM_ANSWER, some_number()),
		       EINVAL, EINVAL);
		break;
	case 5:
		fuzz_number(*fd);
		break;
	case 6:
		change_memory();
		break;
	case 7:
		if (below(16))
			break;
		close(*fd);
		*fd = emm_open();
		break;
	}
}

/* Nothing was going on when the files began to watch, and nothing is now. */
static bool all_ended(const int *files)
{
	for (size_t i = 0; i < FILES; i++) {
		struct emm_counts counts = emm_counts(files[i]);

		if (counts.active || counts.unpaired ||
		    counts.calls[EMM_INVALIDATE_START] !=
			    counts.calls[EMM_INVALIDATE_END] ||
		    counts.calls[EMM_RELEASE])
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 0) : 10000;
	int files[FILES];

	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("seed %#lx, %lu operations\n", (unsigned long)seed, operations);
	/* The area may lose its pages: nobody else must get into the holes. */
	area = (char *)(1UL << 40);
	if (mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	arguments = area_map(1);
	for (size_t i = 0; i < FILES; i++) {
		files[i] = emm_open();
		if (files[i] < 0)
			ksft_exit_fail_msg("/dev/emm: %s\n", strerror(errno));
	}
	for (unsigned long i = 0; i < operations; i++)
		one_operation(files);
	ksft_test_result(all_ended(files), "fuzz_emm\n");
	ksft_finished();
}
