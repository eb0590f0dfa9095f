// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"
#include "operations.h"

/* Arenas are where nothing else is, and at the same place in every run. */
#define ARENA(number) ((char *)0x200000000000 + ((uintptr_t)(number) << 32))

uint64_t thread_next_value(struct thread *thread)
{
	return ++thread->written;
}

void thread_prepare(struct thread *thread, unsigned int number)
{
	*thread = (struct thread){
		.number = number,
		.arena = ARENA(number),
		.written = (uint64_t)(number + 1) << 48,
		.place = { .thread = number, .operation = "prepare" },
		.bounce = mmap(NULL, sizeof(struct bounce), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	if (thread->bounce == MAP_FAILED) {
		report_broken(&thread->place, "no bounce buffer", errno);
		return;
	}
	/* Before there is anything to be copied on write for the partner of XPMEM. */
	for (unsigned int which = 0; which < SECONDARIES; which++) {
		secondary_open(&thread->secondary[which], which, thread->arena,
			       region_arena_size());
		if (secondary_is_open(&thread->secondary[which]))
			shared->open[which]++;
	}
	thread->device = TEMP_FAILURE_RETRY(open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC));
	if (thread->device < 0)
		report_broken(&thread->place, "no device", errno);
	for (unsigned int region = 0; region < REGIONS; region++) {
		thread->place.region = region_kind[region].name;
		if (!region_create(&thread->region[region], region, thread->arena))
			report_broken(&thread->place, "no memory of this kind", errno);
	}
}

static void step(struct thread *thread, uint64_t number)
{
	struct step step = plan_step(shared->seed, thread->number, number);
	const struct operation *operation = &operations[step.operation];
	struct region *region = &thread->region[step.region];
	int result;

	thread->place.step = number;
	thread->place.operation = operation->name;
	thread->place.region = region->name;
	compare_prime(thread, region, &step);
	if (shared->over)
		return;
	if (operation->resets)
		region->epoch++;
	result = operation->run(thread, region, &step);
	if (operation->resets)
		region->epoch++;
	if (result)
		shared->operation[step.operation].refused++;
	else
		shared->operation[step.operation].done++;
	compare_sample(thread, region, &step);
	shared->steps++;
}

void thread_run(struct thread *thread, uint64_t steps)
{
	for (uint64_t number = 0; !shared->over && (!steps || number < steps); number++)
		step(thread, number);
}

void thread_close(struct thread *thread)
{
	for (unsigned int which = 0; which < SECONDARIES; which++)
		secondary_close(&thread->secondary[which]);
	close(thread->device);
}
