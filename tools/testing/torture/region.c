// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userfault.h"

/* Where the suite has mounted a file system that writes back; without one, no DISK. */
#define DISK_DIRECTORY "/torture"
/* Between regions nothing is ever mapped for long: it is where pages are moved to and from. */
#define GAP HUGE_PAGE

const struct region_kind region_kind[REGIONS] = {
	{ ANONYMOUS, "anonymous", 64, 1 },
	{ UNMERGED, "unmerged", 32, 1 },
	{ TRANSPARENT, "transparent", 1024, 1 },
	{ SHARED, "shared", 64, 1 },
	{ PRIVATE, "private", 32, 1 },
	{ DISK, "disk", 32, 1 },
	{ HUGETLB, "hugetlb", 512, 512 },
	{ USERFAULT, "userfault", 32, 1 },
};

static size_t rounded(unsigned int number)
{
	return (region_kind[number].pages * PAGE + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

size_t region_offset(unsigned int number)
{
	size_t offset = 0;

	for (unsigned int before = 0; before < number; before++)
		offset += rounded(before) + GAP;
	return offset;
}

size_t region_arena_size(void)
{
	return region_offset(REGIONS);
}

static int open_file(enum kind kind)
{
	char path[] = DISK_DIRECTORY "/XXXXXX";
	int fd;

	if (kind == SHARED || kind == PRIVATE)
		return memfd_create("torture", MFD_CLOEXEC);
	if (kind != DISK)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

bool region_create(struct region *region, unsigned int number, char *arena)
{
	const struct region_kind *kind = &region_kind[number];
	bool file = FILE_KINDS & KIND(kind->kind);

	*region = (struct region){
		.kind = kind->kind,
		.name = kind->name,
		.base = arena + region_offset(number),
		.pages = kind->pages,
		.fd = open_file(kind->kind),
		.userfault = -1,
		.guarded = calloc(kind->pages, sizeof(*region->guarded)),
		.page = calloc(kind->pages, sizeof(*region->page)),
	};
	if (!region->page || !region->guarded || (file && region->fd < 0))
		return false;
	if (file && ftruncate(region->fd, region->pages * PAGE))
		return false;
	if (kind->kind == USERFAULT && !userfault_start(region))
		return false;
	return region_map(region, 0, region->pages) == 0;
}

static int map_run(struct region *region, unsigned int first, unsigned int count, uint64_t unused)
{
	bool shared = region->kind == SHARED || region->kind == DISK;
	int flags = MAP_FIXED_NOREPLACE | (shared ? MAP_SHARED : MAP_PRIVATE);

	(void)unused;
	if (region->fd < 0)
		flags |= MAP_ANONYMOUS;
	if (region->kind == HUGETLB)
		flags |= MAP_HUGETLB;
	if (mmap(region_address(region, first), count * PAGE, PROT_READ | PROT_WRITE, flags,
		 region->fd, region->fd < 0 ? 0 : first * PAGE) == MAP_FAILED)
		return -errno;
	region_set_access(region, first, count, WRITABLE);
	region_reset(region, first, count);
	return region->kind == USERFAULT ? userfault_register(region, first, count) : 0;
}

int region_map(struct region *region, unsigned int first, unsigned int count)
{
	return region_for_runs(region, first, count, UNMAPPED, UNMAPPED, map_run, 0);
}

static bool is_in(const struct page *page, enum access least, enum access most)
{
	return page->access >= least && page->access <= most;
}

unsigned int region_run(const struct region *region, unsigned int *first, unsigned int end,
			enum access least, enum access most)
{
	unsigned int at = *first;

	while (at < end && !is_in(&region->page[at], least, most))
		at++;
	*first = at;
	while (at < end && is_in(&region->page[at], least, most))
		at++;
	return at - *first;
}

int region_for_runs(struct region *region, unsigned int first, unsigned int count,
		    enum access least, enum access most,
		    int (*work)(struct region *region, unsigned int first, unsigned int count,
				uint64_t argument),
		    uint64_t argument)
{
	unsigned int end = first + count, run;
	int failed = 0, result;

	while ((run = region_run(region, &first, end, least, most))) {
		result = work(region, first, run, argument);
		if (result)
			failed = result;
		first += run;
	}
	return failed;
}

void region_reset(struct region *region, unsigned int first, unsigned int count)
{
	for (unsigned int page = first; page < first + count; page++) {
		region->page[page].value = 0;
		region->page[page].known = region->fd < 0;
		region->guarded[page] = false;
	}
}

void region_set_access(struct region *region, unsigned int first, unsigned int count,
		       enum access access)
{
	for (unsigned int page = first; page < first + count; page++)
		region->page[page].access = access;
}
