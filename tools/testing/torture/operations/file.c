// SPDX-License-Identifier: GPL-2.0
/* What happens to the file behind a mapping. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"
#include "cpu.h"
#include "operations.h"

/* Of a private page only the kernel knows whether it is the file's: look again. */
static void forget(struct region *region, unsigned int first, unsigned int count)
{
	for (unsigned int page = first; page < first + count; page++)
		region->page[page].known = false;
}

int op_punch(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	forget(region, step->first, step->count);
	return fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 step->first * PAGE, step->count * PAGE) ? -errno : 0;
}

/* Cuts the file off, sees that nothing beyond its end is held, and lets it grow again. */
int op_truncate(struct thread *thread, struct region *region, const struct step *step)
{
	if (ftruncate(region->fd, step->first * PAGE))
		return -errno;
	forget(region, step->first, region->pages - step->first);
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++)
		if (step->sample[i] >= step->first)
			compare_nothing(thread, region_address(region, step->sample[i]),
					step->secondaries);
	if (ftruncate(region->fd, region->pages * PAGE)) {
		report_broken(&thread->place, "a file does not grow again", errno);
		return -errno;
	}
	return 0;
}

static int sync_run(struct region *region, unsigned int first, unsigned int count,
		    uint64_t unused)
{
	(void)unused;
	return msync(region_address(region, first), count * PAGE, MS_SYNC) ? -errno : 0;
}

/*
 * Writes the pages back, which makes them clean; then the secondaries write once more, and only if
 * that makes the pages dirty again does it outlive the page cache.
 */
int op_write_back(struct thread *thread, struct region *region, const struct step *step)
{
	int result = region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE,
				     sync_run, 0);

	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i], which = (step->writer + i) % SECONDARIES;
		uint64_t value;

		if (secondary_is_open(&thread->secondary[which]) &&
		    region->page[page].access == WRITABLE &&
		    cpu_read(region_address(region, page), &value))
			compare_write(thread, region, page, which);
	}
	if (step->argument & 1) {
		madvise(region->base, region->pages * PAGE, MADV_DONTNEED);
		posix_fadvise(region->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	return result;
}
