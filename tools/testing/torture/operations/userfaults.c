// SPDX-License-Identifier: GPL-2.0
/* What user space does through the userfaultfd. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "compare.h"
#include "cpu.h"
#include "operations.h"
#include "userfault.h"

static int guard_run(struct region *region, unsigned int first, unsigned int count,
		     uint64_t unused)
{
	int result;

	(void)unused;
	/* What is not there is not protected. */
	for (unsigned int page = first; page < first + count; page++) {
		uint64_t value;

		cpu_read(region_address(region, page), &value);
	}
	result = userfault_protect(region, first, count);
	for (unsigned int page = first; !result && page < first + count; page++)
		region->guarded[page] = true;
	return result;
}

/* Write protects pages; who writes next has to ask. */
int op_guard(struct thread *thread, struct region *region, const struct step *step)
{
	(void)thread;
	return region_for_runs(region, step->first, step->count, READABLE, WRITABLE, guard_run, 0);
}

/* Moves a page in from elsewhere, to where there is none: UFFDIO_MOVE. */
int op_move_in(struct thread *thread, struct region *region, const struct step *step)
{
	char *destination = region_address(region, step->first);
	char *source = region->base + HUGE_PAGE;
	struct page *page = &region->page[step->first];
	struct uffdio_move move = {
		.dst = (uintptr_t)destination, .src = (uintptr_t)source, .len = PAGE,
		.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES,
	};
	uint64_t value = thread_next_value(thread);
	int result = 0;

	if (page->access != WRITABLE)
		return -EACCES;
	if (mmap(source, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		return -errno;
	cpu_write(source, value);
	if (step->prime != PRIME_NOTHING)
		for (unsigned int number = 0; number < SECONDARIES; number++) {
			struct secondary *secondary = &thread->secondary[number];
			uint64_t seen;

			if (secondary_is_open(secondary))
				secondary->class->read(secondary, source, &seen, thread->bounce);
		}
	/* Someone may fault the destination in between: then it exists, and nothing has moved. */
	if (madvise(destination, PAGE, MADV_DONTNEED) ||
	    ioctl(region->userfault, UFFDIO_MOVE, &move))
		result = -errno;
	region_reset(region, step->first, 1);
	if (!result)
		page->value = value;
	if (munmap(source, PAGE) && !result)
		result = -errno;
	compare_nothing(thread, source, ~0U);
	return result;
}
