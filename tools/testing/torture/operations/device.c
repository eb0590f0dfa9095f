// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory and exclusive access, by a mirror of test_hmm's that nothing is read through: it
 * would take a page that has moved to its own memory for one of the system's, and crash.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "compare.h"
#include "operations.h"
#include "test_hmm_uapi.h"

/* As many pages as the bounce buffer has room for. */
static int command(struct thread *thread, unsigned long number, char *address, unsigned int pages)
{
	struct hmm_dmirror_cmd command = {
		.addr = (uintptr_t)address, .ptr = (uintptr_t)thread->bounce->device,
		.npages = pages,
	};

	return ioctl(thread->device, number, &command) ? -errno : 0;
}

static int move(struct thread *thread, struct region *region, const struct step *step,
		unsigned long number)
{
	unsigned int first = step->first, run;

	run = region_run(region, &first, step->first + step->count, READABLE, WRITABLE);
	if (!run)
		return -ENOENT;
	return command(thread, number, region_address(region, first),
		       run < DEVICE_PAGES ? run : DEVICE_PAGES);
}

int op_to_device(struct thread *thread, struct region *region, const struct step *step)
{
	return move(thread, region, step, HMM_DMIRROR_MIGRATE_TO_DEV);
}

int op_to_system(struct thread *thread, struct region *region, const struct step *step)
{
	return move(thread, region, step, HMM_DMIRROR_MIGRATE_TO_SYS);
}

static bool is_exclusive(struct thread *thread, char *address)
{
	return command(thread, HMM_DMIRROR_CHECK_EXCLUSIVE, address, 1) == -EPERM;
}

/*
 * While the device has a page to itself, no other secondary may use it: who faults it in takes the
 * device's access away first. So nobody can read it, and the device still be exclusive afterwards.
 */
static void check_alone(struct thread *thread, char *address)
{
	for (unsigned int number = 0; number < SECONDARIES && !shared->over; number++) {
		struct secondary *secondary = &thread->secondary[number];
		int (*look)(struct secondary *secondary, char *address, uint64_t *value,
			    struct bounce *bounce);
		uint64_t value;
		int result;

		if (!secondary_is_open(secondary))
			continue;
		look = secondary->class->peek ? secondary->class->peek : secondary->class->read;
		result = look(secondary, address, &value, thread->bounce);
		shared->comparisons++;
		if (!result && is_exclusive(thread, address))
			report_stale(&thread->place, address, NO_VALUE, secondary->class->name,
				     value, "uses a page that a device has to itself");
	}
}

int op_exclusive(struct thread *thread, struct region *region, const struct step *step)
{
	int failed = 0;

	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i];
		char *address = region_address(region, page);
		int result;

		thread->place.page = page;
		if (region->page[page].access != WRITABLE)
			continue;
		result = command(thread, HMM_DMIRROR_EXCLUSIVE, address, 1);
		if (!result && is_exclusive(thread, address))
			check_alone(thread, address);
		else
			failed = result ? result : -EBUSY;
	}
	return failed;
}
