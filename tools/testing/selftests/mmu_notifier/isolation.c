// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that unregister, put and exit while a callback of others is stuck: with C, where one
 * SRCU domain serves all, they wait until it is not; with Rust it takes no longer than ever.
 */
#define _GNU_SOURCE
#include "isolation.h"

/* Idle and stuck take turns, so that both see the same of what else the machine does. */
#define BLOCKS		9
/* The quickest of the steps is done most often: of so few samples the host's noise is a large part. */
#define BLOCK_MAX	250
static const unsigned int block_of[] = { BLOCK_MAX, 25, 25 };
/* How long the gate stays shut where the wait is to be shown. */
#define SHOWN_SECONDS	10

enum { UNREGISTER, PUT, EXIT, STEPS };

static const char *const step_names[STEPS] = { "unregister", "put until freed", "exit" };

/* Steps of one kind; the slot has the number of the kind. */
struct steps {
	int fd;
	int kind;
	unsigned int count;
	_Atomic unsigned int done;
	_Atomic pid_t child;
	double took[BLOCK_MAX];	/* milliseconds */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int unregister(struct steps *steps, double *begin)
{
	if (mnt_register(steps->fd, UNREGISTER, MNT_RANGE, 0))
		return -1;
	*begin = now();
	return mnt_unregister(steps->fd, UNREGISTER);
}

static int put(struct steps *steps, double *begin)
{
	__u64 freed = mnt_seen(steps->fd, PUT, MNT_FREE);

	if (mnt_get(steps->fd, PUT, MNT_RANGE, NULL))
		return -1;
	*begin = now();
	return mnt_put(steps->fd, PUT) ? -1 :
	       mnt_wait_entered(steps->fd, PUT, MNT_FREE, freed + 1);
}

struct child {
	int fd;
	int ready, end;
};

static void register_and_exit(void *arg)
{
	struct child *it = arg;
	char c;

	if (mnt_register(it->fd, EXIT, MNT_RANGE | MNT_BIT(MNT_RELEASE), 0) ||
	    write(it->ready, "", 1) != 1 || read(it->end, &c, 1) != 1)
		_exit(1);
}

static int exit_of_a_child(struct steps *steps, double *begin)
{
	int ready[2], end[2], status;
	struct child child;
	char c;

	if (pipe(ready) || pipe(end))
		return -1;
	child = (struct child){ steps->fd, ready[1], end[0] };
	steps->child = child_start(register_and_exit, &child);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	*begin = now();
	if (write(end[1], "", 1) != 1)
		return -1;
	status = child_wait(steps->child);
	close(ready[0]);
	close(end[0]);
	close(end[1]);
	return status;
}

static long run_steps(void *arg)
{
	static int (*const run[STEPS])(struct steps *steps, double *begin) = {
		unregister, put, exit_of_a_child,
	};
	struct steps *steps = arg;

	while (steps->done < steps->count) {
		double begin, end;

		if (run[steps->kind](steps, &begin))
			return -1;
		end = now();
		/* What the child has registered is still the session's. */
		if (steps->kind == EXIT && mnt_unregister(steps->fd, EXIT))
			return -1;
		steps->took[steps->done] = end - begin;
		steps->done++;
	}
	return 0;
}

struct samples {
	double all[BLOCKS * BLOCK_MAX];
	unsigned int count;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts, too. */
static double quantile(double *values, size_t count, unsigned int percent)
{
	qsort(values, count, sizeof(*values), compare);
	return values[(count * percent + 99) / 100 - 1];
}

static void add_block(struct samples *samples, const struct steps *steps)
{
	memcpy(&samples->all[samples->count], steps->took, steps->count * sizeof(*steps->took));
	samples->count += steps->count;
}

static void measure(struct __test_metadata *_metadata, struct _test_data_notifier *self,
		    struct samples samples[STEPS], const char *when)
{
	for (int kind = 0; kind < STEPS; kind++) {
		struct steps steps = { .fd = self->others, .kind = kind,
				       .count = block_of[kind] };
		struct job job;

		job_start(&job, run_steps, &steps);
		ASSERT_TRUE(job_goes_on(&job, &steps.done))
			TH_LOG("%s with others %s: number %u does not return", step_names[kind],
			       when, steps.done);
		ASSERT_EQ(0, job_join(&job)) TH_LOG("%s", strerror(errno));
		add_block(&samples[kind], &steps);
	}
}

/*
 * Twice the 99th percentile of an idle machine is a scale that the machine's own noise sets. A busy
 * host delays now and then a few in a hundred; who waits for another's callback does it every time.
 */
static void compare_samples(struct __test_metadata *_metadata, const char *name,
			    struct samples *idle, struct samples *stuck)
{
	double idle_p50 = quantile(idle->all, idle->count, 50);
	double idle_p99 = quantile(idle->all, idle->count, 99);
	double stuck_p50 = quantile(stuck->all, stuck->count, 50);
	double stuck_p97 = quantile(stuck->all, stuck->count, 97);
	double stuck_p99 = quantile(stuck->all, stuck->count, 99);

	note("measured: %s: %s, ms: idle p50 %.2f p99 %.2f, stuck p50 %.2f p97 %.2f p99 %.2f",
	     _metadata->name, name, idle_p50, idle_p99, stuck_p50, stuck_p97, stuck_p99);
	EXPECT_LE(stuck_p97, 2 * idle_p99) TH_LOG("%s: slower", name);
}

static void others_go_on(struct __test_metadata *_metadata, struct _test_data_notifier *self,
			 struct stuck *stuck)
{
	static struct samples idle[STEPS], held[STEPS];

	for (int block = 0; block < BLOCKS; block++) {
		measure(_metadata, self, idle, "idle");
		FOR_EACH_NUMBER(it, n, stuck)
			stick(_metadata, it, n);
		measure(_metadata, self, held, "stuck");
		FOR_EACH_NUMBER(it, n, stuck)
			let_go(_metadata, it, n);
	}
	for (int kind = 0; kind < STEPS; kind++)
		compare_samples(_metadata, step_names[kind], &idle[kind], &held[kind]);
}

static bool still_wait(const struct steps steps[STEPS])
{
	for (int kind = 0; kind < STEPS; kind++)
		if (steps[kind].done)
			return false;
	return true;
}

/* Until the last gate opens; at least for so long after all have been shut. */
static void others_wait(struct __test_metadata *_metadata, struct _test_data_notifier *self,
			struct stuck *stuck, unsigned int seconds)
{
	struct steps steps[STEPS];
	struct job jobs[STEPS];
	double begin;

	FOR_EACH_NUMBER(it, n, stuck)
		stick(_metadata, it, n);
	begin = now();
	for (int kind = 0; kind < STEPS; kind++) {
		steps[kind] = (struct steps){ .fd = self->others, .kind = kind, .count = 1 };
		job_start(&jobs[kind], run_steps, &steps[kind]);
	}
	ASSERT_TRUE(job_blocks(&jobs[UNREGISTER], "synchronize_srcu"));
	ASSERT_TRUE(job_blocks(&jobs[PUT], "mnt_wait"));
	while (!steps[EXIT].child)
		sched_yield();
	ASSERT_TRUE(child_blocks(steps[EXIT].child, "synchronize_srcu"));
	while (now() < begin + seconds * 1000.0)
		usleep(10000);
	FOR_EACH_NUMBER(it, n, stuck) {
		grace_periods();
		ASSERT_TRUE(still_wait(steps));
		let_go(_metadata, it, n);
	}
	for (int kind = 0; kind < STEPS; kind++) {
		ASSERT_EQ(0, job_join(&jobs[kind]));
		note("measured: %s: %s %.2f s", _metadata->name, step_names[kind],
		     steps[kind].took[0] / 1000);
	}
}

static void others(struct __test_metadata *_metadata, struct _test_data_notifier *self,
		   unsigned int processes, unsigned int threads, unsigned int seconds)
{
	static struct stuck stuck;

	start_processes(_metadata, self, &stuck, processes, threads);
	if (c_serves())
		others_wait(_metadata, self, &stuck, seconds);
	else
		others_go_on(_metadata, self, &stuck);
}

TEST_F_TIMEOUT(notifier, others_while_one_is_stuck, LIMIT)
{
	others(_metadata, self, 1, 1, SHOWN_SECONDS);
}

TEST_F_TIMEOUT(notifier, others_while_many_processes_are_stuck, LIMIT)
{
	others(_metadata, self, MANY, 1, 0);
}

TEST_F_TIMEOUT(notifier, others_while_many_threads_are_stuck, LIMIT)
{
	others(_metadata, self, 1, MANY, 0);
}

TEST_HARNESS_MAIN
