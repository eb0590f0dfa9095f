// SPDX-License-Identifier: GPL-2.0
/* Where pages are: on which node, huge or small, in memory or not, shared or not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compare.h"
#include "operations.h"

#define AT_ONCE 64
#define SPLIT_HUGE_PAGES "/sys/kernel/debug/split_huge_pages"

/* To the node that the argument says. */
int op_migrate(struct thread *thread, struct region *region, const struct step *step)
{
	void *address[AT_ONCE];
	int node[AT_ONCE], status[AT_ONCE];
	unsigned int number = 0, end = step->first + step->count;

	(void)thread;
	for (unsigned int page = step->first; page < end && number < AT_ONCE; page++) {
		address[number] = region_address(region, page);
		node[number++] = step->argument & 1;
	}
	return syscall(SYS_move_pages, 0, (long)number, address, node, status, 1 << 1) < 0 ? -errno
											   : 0;
}

static int advise(struct region *region, unsigned int first, unsigned int count, uint64_t advice)
{
	return madvise(region_address(region, first), count * PAGE, advice) ? -errno : 0;
}

int op_collapse(struct thread *thread, struct region *region, const struct step *step)
{
	unsigned int huge = HUGE_PAGE / PAGE, first = step->first / huge * huge;

	(void)thread;
	return advise(region, first, huge, MADV_COLLAPSE);
}

/* Through debugfs; unmapping and protecting a part split as well. */
int op_split(struct thread *thread, struct region *region, const struct step *step)
{
	char request[128];
	int fd = open(SPLIT_HUGE_PAGES, O_WRONLY | O_CLOEXEC), result = 0;
	char *start = region_address(region, step->first);

	(void)thread;
	snprintf(request, sizeof(request), "%d,%p,%p,%d", getpid(), start,
		 start + step->count * PAGE, (int)(step->argument % 8));
	if (fd < 0 || write(fd, request, strlen(request)) < 0)
		result = -errno;
	close(fd);
	return result;
}

int op_page_out(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE, advise,
			       MADV_PAGEOUT);
}

/* The pages are made alike; the kernel merges them when it comes by. */
int op_merge(struct thread *thread, struct region *region, const struct step *step)
{
	for (unsigned int page = step->first + 1; page < step->first + step->count; page++) {
		compare_store(thread, region, step->first);
		compare_store(thread, region, page);
	}
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE, advise,
			       MADV_MERGEABLE);
}

int op_unmerge(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE, advise,
			       MADV_UNMERGEABLE);
}
