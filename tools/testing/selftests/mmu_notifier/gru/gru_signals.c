// SPDX-License-Identifier: GPL-2.0
/* A signal ends a queue that never waits, and what was done is told. */
#define _GNU_SOURCE
#include <string.h>

#include "gru_fixture.h"

#define COUNT	GRU_COUNT_MAX

struct runner {
	int fd;
	struct gru_instruction queue[COUNT];
	unsigned int done;
};

static long run_until_it_fails(void *arg)
{
	struct runner *runner = arg;
	int error;

	do {
		for (unsigned int i = 0; i < COUNT; i++)
			runner->queue[i].status = ~0u;
		error = gru_run(runner->fd, runner->queue, COUNT, &runner->done);
	} while (!error);
	return error;
}

static void on_signal(int number __attribute__((unused)))
{
}

static void interrupt(struct __test_metadata *_metadata, struct runner *runner)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct job running;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	job_start(&running, run_until_it_fails, runner);
	/* One that comes between two runs ends nothing. */
	while (!running.done) {
		pthread_kill(running.thread, SIGUSR1);
		sched_yield();
	}
	EXPECT_EQ(EINTR, job_join(&running));
	ASSERT_GT(COUNT, runner->done);
	for (unsigned int i = 0; i < COUNT; i++) {
		unsigned int expected = i < runner->done ? 0 :
					i > runner->done ? ~0u : EINTR;

		ASSERT_EQ(expected, runner->queue[i].status);
	}
}

TEST_F(tlb, a_signal_ends_a_queue_of_fills)
{
	static struct runner runner;

	runner.fd = self->fd;
	for (unsigned int i = 0; i < COUNT; i++)
		runner.queue[i] = (struct gru_instruction){
			.op = GRU_OP_FILL,
			.dst = (uintptr_t)self->area,
			.length = AREA * PAGE,
			.value = i,
		};
	interrupt(_metadata, &runner);
}

TEST_F(tlb, a_signal_ends_a_queue_of_gathers)
{
	static struct runner runner;

	memset(self->area, 0, AREA * PAGE);
	runner.fd = self->fd;
	for (unsigned int i = 0; i < COUNT; i++)
		runner.queue[i] = (struct gru_instruction){
			.op = GRU_OP_GATHER,
			.dst = (uintptr_t)self->area,
			.src = (uintptr_t)self->area + 4 * PAGE,
			.length = 4 * PAGE / WORD,
			.value = (uintptr_t)self->area + 8 * PAGE,
		};
	interrupt(_metadata, &runner);
}

TEST_HARNESS_MAIN
