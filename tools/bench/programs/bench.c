// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

_Noreturn void give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
	exit(1);
}

int bench_open(void)
{
	int fd = open("/dev/mmu_notifier_bench", O_RDWR | O_CLOEXEC);

	need(fd >= 0);
	return fd;
}

void bench(int fd, unsigned long command, void *argument)
{
	need(ioctl(fd, command, argument) == 0);
}

void in_child(void (*work)(const void *), const void *argument)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		work(argument);
		exit(0);
	}
	need(waitpid(child, &status, 0) == child);
	need(status == 0);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

unsigned long long now(void)
{
	struct timespec time;

	need(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}
