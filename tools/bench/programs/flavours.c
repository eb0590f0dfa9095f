// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What SRCU costs, plain and fast; no core is involved. */
#include <math.h>
#include <stdio.h>

#include "bench.h"

#define BATCHES 11

static double cost(int fd, enum bench_flavour flavour, enum bench_srcu_work work,
		   unsigned int count)
{
	struct bench_srcu job = { .flavour = flavour, .count = count };
	double best = INFINITY, all[BATCHES], nothing = INFINITY;

	for (int i = 0; i < BATCHES; i++) {
		job.work = BENCH_SRCU_NOTHING;
		bench(fd, BENCH_SRCU, &job);
		nothing = fmin(nothing, job.ns);
		job.work = work;
		bench(fd, BENCH_SRCU, &job);
		best = fmin(best, job.ns);
		all[i] = job.ns;
	}
	/* What waits has no uninterrupted time of its own. */
	return count == 1 ? median(all, BATCHES) : (best - nothing) / count;
}

int main(void)
{
	static const char *const names[] = { "plain", "fast" };
	struct bench_sizes sizes;
	int fd = bench_open();

	for (int flavour = BENCH_SRCU_PLAIN; flavour <= BENCH_SRCU_FAST; flavour++) {
		printf("flavour read srcu=%s %.2f\n", names[flavour],
		       cost(fd, flavour, BENCH_SRCU_READ, 400));
		printf("flavour synchronize srcu=%s %.2f\n", names[flavour],
		       cost(fd, flavour, BENCH_SRCU_SYNCHRONIZE, 1));
		printf("flavour synchronize_expedited srcu=%s %.2f\n", names[flavour],
		       cost(fd, flavour, BENCH_SRCU_SYNCHRONIZE_EXPEDITED, 1));
		printf("flavour init_and_cleanup srcu=%s %.2f\n", names[flavour],
		       cost(fd, flavour, BENCH_SRCU_LIFE, 1));
	}
	bench(fd, BENCH_SIZES, &sizes);
	printf("flavour sizeof type=srcu_struct %u\n", sizes.srcu_struct);
	printf("flavour sizeof type=srcu_usage %u\n", sizes.srcu_usage);
	printf("flavour sizeof type=srcu_data_per_cpu %u\n", sizes.srcu_data);
	return 0;
}
