// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "compare.h"
#include "cpu.h"
#include "operations.h"

static int unmap_run(struct region *region, unsigned int first, unsigned int count, uint64_t unused)
{
	(void)unused;
	if (munmap(region_address(region, first), count * PAGE))
		return -errno;
	region_set_access(region, first, count, UNMAPPED);
	region_reset(region, first, count);
	return 0;
}

int op_unmap(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE, unmap_run, 0);
}

/* The whole region, so that there is always something to work on. */
int op_map(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	(void)step;
	return region_map(region, 0, region->pages);
}

static int replace_run(struct region *region, unsigned int first, unsigned int count,
		       uint64_t unused)
{
	int result = unmap_run(region, first, count, unused);

	return result ? result : region_map(region, first, count);
}

int op_replace(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE,
			       replace_run, 0);
}

static int discard_run(struct region *region, unsigned int first, unsigned int count,
		       uint64_t unused)
{
	(void)unused;
	if (madvise(region_address(region, first), count * PAGE, MADV_DONTNEED))
		return -errno;
	/* A shared file keeps what was written. */
	if (region->kind != SHARED && region->kind != DISK)
		region_reset(region, first, count);
	return 0;
}

int op_discard(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE,
			       discard_run, 0);
}

static int free_run(struct region *region, unsigned int first, unsigned int count,
		    uint64_t page_out)
{
	char *start = region_address(region, first);

	if (madvise(start, count * PAGE, MADV_FREE))
		return -errno;
	return page_out && madvise(start, count * PAGE, MADV_PAGEOUT) ? -errno : 0;
}

/*
 * The pages may vanish from here until they are written to, which ends the operation: nobody could
 * tell of one later whether it has gone by right.
 */
int op_free(struct thread *thread, struct region *region, const struct step *step)
{
	int result = region_for_runs(region, step->first, step->count, WRITABLE, WRITABLE, free_run,
				     step->argument & 1);

	for (unsigned int page = step->first; page < step->first + step->count; page++) {
		/* What has vanished has lost its write protection as well. */
		if (region->page[page].access == WRITABLE)
			region->guarded[page] = false;
		compare_store(thread, region, page);
	}
	return result;
}
