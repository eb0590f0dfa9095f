// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "compare.h"
#include "operations.h"

/* The longest run that begins in the operation's pages and fits into the gap after the region. */
static unsigned int find_run(struct region *region, const struct step *step, unsigned int *first)
{
	unsigned int run;

	*first = step->first;
	run = region_run(region, first, step->first + step->count, NO_ACCESS, WRITABLE);
	return run < HUGE_PAGE / PAGE ? run : HUGE_PAGE / PAGE;
}

/* A mapping may be moved as a whole only: not across protections that differ. */
static unsigned int uniform(struct region *region, unsigned int first, unsigned int count)
{
	unsigned int same = 1;

	while (same < count &&
	       region->page[first + same].access == region->page[first].access)
		same++;
	return same;
}

static char *gap_of(struct region *region)
{
	size_t size = (region->pages * PAGE + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	return region->base + size;
}

/* Moves pages to elsewhere and back; where they were there is nothing meanwhile. */
int op_move(struct thread *thread, struct region *region, const struct step *step)
{
	unsigned int first, run = find_run(region, step, &first);
	char *home = region_address(region, first), *away = gap_of(region);
	size_t size;

	if (!run)
		return -ENOENT;
	run = uniform(region, first, run);
	size = run * PAGE;
	if (mremap(home, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, away) == MAP_FAILED)
		return -errno;
	compare_nothing(thread, home, ~0U);
	compare_nothing(thread, home + size - PAGE, ~0U);
	if (mremap(away, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, home) == MAP_FAILED) {
		report_broken(&thread->place, "pages do not move back", errno);
		return -errno;
	}
	if (!shared->over)
		compare_nothing(thread, away, ~0U);
	return 0;
}

/* Moves the pages away for good and leaves the mapping, as MREMAP_DONTUNMAP does. */
int op_move_away(struct thread *thread, struct region *region, const struct step *step)
{
	unsigned int first, run = find_run(region, step, &first);
	char *home = region_address(region, first), *away = gap_of(region);
	size_t size;

	(void)thread;
	if (!run)
		return -ENOENT;
	run = uniform(region, first, run);
	size = run * PAGE;
	if (mremap(home, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, away) ==
	    MAP_FAILED)
		return -errno;
	if (region->kind != SHARED && region->kind != DISK)
		region_reset(region, first, run);
	return munmap(away, size) ? -errno : 0;
}
