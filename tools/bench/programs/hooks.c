// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What a call of each hook costs, with list and with interval subscriptions. */
#include <math.h>
#include <stdio.h>

#include "bench.h"

#define BATCHES 21
#define BASE (1UL << 40)
#define STRIDE (4 * PAGE)

static const struct {
	enum bench_hook hook;
	const char *name;
} hooks[] = {
	{ BENCH_START_END, "start_end" },
	{ BENCH_CLEAR_FLUSH_YOUNG, "flush_young" },
	{ BENCH_TEST_YOUNG, "test_young" },
};

/*
 * Nanoseconds of one call, less those of a call that does nothing. The shortest batch of each is
 * one that neither a tick nor another task has interrupted.
 */
static double cost(int fd, enum bench_hook hook, enum bench_path path, unsigned long start,
		   unsigned long end, unsigned int calls)
{
	struct bench_calls work = { .hook = hook, .start = start, .end = end, .calls = calls };
	double empty = INFINITY, full = INFINITY;

	for (int i = 0; i < BATCHES; i++) {
		work.path = BENCH_EMPTY;
		bench(fd, BENCH_CALLS, &work);
		empty = fmin(empty, work.ns);
		work.path = path;
		bench(fd, BENCH_CALLS, &work);
		full = fmin(full, work.ns);
	}
	return (full - empty) / calls;
}

static void never_subscribed(const void *unused)
{
	int fd = bench_open();

	(void)unused;
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		printf("sample %s subscriptions=never path=inline %.2f\n", hooks[i].name,
		       cost(fd, hooks[i].hook, BENCH_INLINE, BASE, BASE + PAGE, 400));
}

static void subscribed(const void *argument)
{
	unsigned int count = *(const unsigned int *)argument, calls = 400 / (1 + count / 4);
	struct bench_subscriptions work = { .count = count ?: 1 };
	int fd = bench_open();

	bench(fd, BENCH_SUBSCRIBE, &work);
	if (!count)
		bench(fd, BENCH_UNREGISTER, &work);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
		printf("floor %s subscriptions=%u %.2f\n", hooks[i].name, count,
		       cost(fd, hooks[i].hook, BENCH_FLOOR_LIST, BASE, BASE + PAGE, calls));
		printf("sample %s subscriptions=%u path=livepatch %.2f\n", hooks[i].name, count,
		       cost(fd, hooks[i].hook, BENCH_LIVE, BASE, BASE + PAGE, calls));
		printf("sample %s subscriptions=%u path=direct %.2f\n", hooks[i].name, count,
		       cost(fd, hooks[i].hook, BENCH_DIRECT, BASE, BASE + PAGE, calls));
	}
}

static void intervals(const void *argument)
{
	unsigned int count = *(const unsigned int *)argument;
	struct bench_intervals work = {
		.base = BASE, .stride = STRIDE, .length = PAGE, .count = count,
	};
	/* One that is neither the first nor the last, if there are so many. */
	unsigned long one = BASE + count / 2 * STRIDE;
	const struct {
		const char *name;
		unsigned long start, end;
		unsigned int number;
	} overlaps[] = {
		{ "0", one + 2 * PAGE, one + 3 * PAGE, 0 },
		{ "1", one, one + PAGE, 1 },
		{ "all", BASE, BASE + count * STRIDE, count },
	};
	int fd = bench_open();

	bench(fd, BENCH_INTERVALS, &work);
	printf("sample interval_insert number=%u %.2f\n", count, (double)work.ns);
	/* With one subscription, 1 and all are the same. */
	for (int i = 0; i < (count == 1 ? 2 : 3); i++) {
		unsigned int calls = 400 / (1 + overlaps[i].number) + 1;

		printf("floor start_end intervals=%u overlapping=%s %.2f\n", count, overlaps[i].name,
		       cost(fd, BENCH_START_END, BENCH_FLOOR_TREE, overlaps[i].start,
			    overlaps[i].end, calls));
		printf("sample start_end intervals=%u overlapping=%s path=livepatch %.2f\n", count,
		       overlaps[i].name, cost(fd, BENCH_START_END, BENCH_LIVE, overlaps[i].start,
					      overlaps[i].end, calls));
		printf("sample start_end intervals=%u overlapping=%s path=direct %.2f\n", count,
		       overlaps[i].name, cost(fd, BENCH_START_END, BENCH_DIRECT, overlaps[i].start,
					      overlaps[i].end, calls));
	}
}

int main(void)
{
	static const unsigned int lists[] = { 0, 1, 4, 64 }, trees[] = { 1, 100, 10000 };

	in_child(never_subscribed, NULL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		in_child(subscribed, &lists[i]);
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++)
		in_child(intervals, &trees[i]);
	return 0;
}
