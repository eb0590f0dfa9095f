// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"
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
	return region_for_runs(region, 0, region->pages, NO_ACCESS, READABLE, protect_run,
			       WRITABLE);
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
 * Writes by way of a secondary to a page whose bit is clear; then as the processor. If it is only
 * the second that sets the bit, the first has passed the write protection that was to notice it.
 * (What neither sets is not for the secondaries to answer for: a page whose bit is cleared while it
 * is being migrated comes back writable.)
 */
static void write_twice(struct thread *thread, struct region *region, unsigned int number,
			unsigned int which, int pagemap)
{
	struct secondary *secondary = &thread->secondary[which];
	char *address = region_address(region, number);
	struct page *page = &region->page[number];
	uint64_t value = thread_next_value(thread);
	bool unnoticed;

	thread->place.page = number;
	if (secondary->class->write(secondary, address, value, thread->bounce))
		return;
	unnoticed = is_soft_dirty(pagemap, address, false);
	page->known = cpu_write(address, value);
	page->value = value;
	shared->comparisons++;
	if (unnoticed && is_soft_dirty(pagemap, address, true))
		report_stale(&thread->place, address, value, secondary_classes[which]->name, value,
			     "writes without the page becoming soft-dirty");
}

/* Only of pages in memory: what a device does to its own memory sets no bit. */
static void check_soft_dirty(struct thread *thread, struct region *region, const struct step *step,
			     int pagemap)
{
	pthread_rwlock_rdlock(&shared->reclaim);
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i], which = (step->writer + i) % SECONDARIES;

		if (secondary_is_open(&thread->secondary[which]) &&
		    region->page[page].access == WRITABLE &&
		    is_soft_dirty(pagemap, region_address(region, page), false))
			write_twice(thread, region, page, which, pagemap);
	}
	pthread_rwlock_unlock(&shared->reclaim);
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
