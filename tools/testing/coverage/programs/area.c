// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "area.h"
#include "knob.h"

#define PRESENT	(1ULL << 63)
#define FRAME	((1ULL << 55) - 1)
#define REGIONS	64

char *area_map(size_t size, size_t align, int flags, int fd)
{
	char *room = mmap(NULL, size + 2 * align, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* A page at least stays on either side. */
	uintptr_t start = ((uintptr_t)room / align + 1) * align;
	char *area;

	if (room == MAP_FAILED)
		return NULL;
	area = mmap((void *)start, size, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED, fd, 0);
	return area == MAP_FAILED ? NULL : area;
}

char *area_private(size_t size)
{
	return area_map(size, HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

uint64_t area_frame(const char *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)page / PAGE * sizeof(entry));

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry & PRESENT ? entry & FRAME : 0;
}

size_t area_huge(const char *area, size_t size)
{
	struct page_region regions[REGIONS];
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + size,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS,
		.category_mask = PAGE_IS_HUGE | PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t huge = 0;
	int found;

	if (fd < 0)
		return 0;
	found = ioctl(fd, PAGEMAP_SCAN, &scan);
	close(fd);
	for (int i = 0; i < found; i++)
		huge += regions[i].end - regions[i].start;
	return huge;
}

int area_settle(void)
{
	/* Drops what is cached of files as well, which is no matter here. */
	return knob_write("/proc/sys/vm/drop_caches", "1");
}
