// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "cpu.h"

/* What the stream of numbers of the one who reads along is called. */
#define HAMMER (1ULL << 32)
/* So many reads, and then so many nanoseconds for those who change something. */
#define BURST 16
#define PAUSE 5000000

static struct thread *threads;
static unsigned int thread_count;
static uint64_t step_limit;
static atomic_bool hammer_over;

static void *follow_plan(void *argument)
{
	thread_run(argument, step_limit);
	return NULL;
}

static void *hammer(void *argument)
{
	struct bounce *bounce = mmap(NULL, sizeof(*bounce), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct timespec pause = { .tv_nsec = PAUSE };

	(void)argument;
	for (uint64_t number = 0; bounce != MAP_FAILED && !hammer_over && !shared->over; number++) {
		uint64_t random = plan_random(shared->seed, HAMMER + threads->number, number);

		compare_concurrently(&threads[random % thread_count],
				     (random >> 8) % SECONDARIES, random >> 12, bounce);
		if (number % BURST == 0)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void start(pthread_t *thread, void *(*routine)(void *argument), void *argument)
{
	int error = pthread_create(thread, NULL, routine, argument);

	if (error) {
		report_broken(&threads->place, "no thread", error);
		_exit(1);
	}
}

void worker_run(unsigned int first, unsigned int count, uint64_t steps)
{
	pthread_t id[count], hammer_id;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cpu_prepare();
	step_limit = steps;
	thread_count = count;
	threads = calloc(count, sizeof(*threads));
	for (unsigned int i = 0; i < count; i++)
		thread_prepare(&threads[i], first + i);
	for (unsigned int i = 0; i < count; i++)
		start(&id[i], follow_plan, &threads[i]);
	start(&hammer_id, hammer, NULL);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(id[i], NULL);
	hammer_over = true;
	pthread_join(hammer_id, NULL);
	for (unsigned int i = 0; i < count; i++)
		thread_close(&threads[i]);
	_exit(0);
}
