// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"
#include "operations.h"

/* In /proc/self/pagemap. */
#define PRESENT (1ULL << 63)
#define SOFT_DIRTY (1ULL << 55)

pthread_mutex_t soft_dirty_lock = PTHREAD_MUTEX_INITIALIZER;

static int protect_run(struct region *region, unsigned int first, unsigned int count,
		       uint64_t access)
{
	static const int protection[] = {
		[NO_ACCESS] = PROT_NONE,
		[READABLE] = PROT_READ,
		[WRITABLE] = PROT_READ | PROT_WRITE,
	};

	if (mprotect(region_address(region, first), count * PAGE, protection[access]))
		return -errno;
	region_set_access(region, first, count, access);
	return 0;
}

int op_protect(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, NO_ACCESS, WRITABLE, protect_run,
			       step->argument & 1 ? NO_ACCESS : READABLE);
}

int op_allow(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	(void)step;
	return region_for_runs(region, 0, region->pages, NO_ACCESS, READABLE, protect_run, WRITABLE);
}

/* Whether the page is mapped and its bit has that value. */
static bool is_soft_dirty(int pagemap, char *address, bool dirty)
{
	uint64_t entry;
	off_t where = (uintptr_t)address / PAGE * sizeof(entry);

	return pread(pagemap, &entry, sizeof(entry), where) == sizeof(entry) &&
	       entry & PRESENT && !(entry & SOFT_DIRTY) == !dirty;
}

/*
 * What is written by way of a secondary after the bits are cleared must set them again. Only of a
 * page that is in memory: what a device does to its own memory sets no bit.
 */
static void check_soft_dirty(struct thread *thread, struct region *region, const struct step *step,
			     int pagemap)
{
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i], which = (step->writer + i) % SECONDARIES;
		char *address = region_address(region, page);

		if (!secondary_is_open(&thread->secondary[which]) ||
		    region->page[page].access != WRITABLE ||
		    !is_soft_dirty(pagemap, address, false) ||
		    !compare_write(thread, region, page, which))
			continue;
		shared->comparisons++;
		if (is_soft_dirty(pagemap, address, false))
			report_stale(&thread->place, address, region->page[page].value,
				     secondary_classes[which]->name, region->page[page].value,
				     "writes without the page becoming soft-dirty");
	}
}

/* The whole process is cleared at once: what else looks at the bits has to wait. */
int op_soft_dirty(struct thread *thread, struct region *region, const struct step *step)
{
	int clear = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), result = 0;

	pthread_mutex_lock(&soft_dirty_lock);
	if (clear < 0 || pagemap < 0 || write(clear, "4", 1) != 1)
		result = -errno;
	else
		check_soft_dirty(thread, region, step, pagemap);
	pthread_mutex_unlock(&soft_dirty_lock);
	close(clear);
	close(pagemap);
	return result;
}
