// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How often one process, and two on a processor each, can register: throughput VMAS MS
 *
 * Each process maps files, either its own or the same ones as the other.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define FILES 100
#define PROCESSES 2
/* In turns, since what else the host has to do comes and goes. */
#define TIMES 5

struct shared {
	atomic_int ready;
	atomic_bool start;
	unsigned long rounds[PROCESSES];
	double seconds[PROCESSES];
};

static void make_files(int *files, unsigned int pages)
{
	for (int i = 0; i < FILES; i++) {
		files[i] = memfd_create("bench", MFD_CLOEXEC);
		need(files[i] >= 0 && ftruncate(files[i], pages * PAGE) == 0);
	}
}

static void map_files(const int *files, unsigned int pages)
{
	for (int i = 0; i < FILES; i++) {
		char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, files[i],
				  0);

		need(area != MAP_FAILED);
		for (unsigned int page = 1; page < pages; page += 2)
			need(mprotect(area + page * PAGE, PAGE, PROT_READ) == 0);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	need(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* What two processors of this machine can do at most: work that shares nothing. */
static void spin(void)
{
	for (volatile int i = 0; i < 100000; i++)
		;
}

static void work(struct shared *shared, int number, const int *files, unsigned int pages,
		 bool just_spin, unsigned long ms)
{
	struct bench_subscriptions one = { .count = 1 };
	unsigned long long begin, end;
	int own[FILES], fd;

	pin(number);
	if (!files)
		make_files(own, pages);
	map_files(files ?: own, pages);
	fd = bench_open();
	bench(fd, BENCH_SUBSCRIBE, &one);
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->start))
		sched_yield();
	begin = now();
	do {
		if (just_spin)
			spin();
		else
			bench(fd, BENCH_SUBSCRIBE, &one);
		shared->rounds[number]++;
		end = now();
	} while (end - begin < ms * 1000000ULL);
	shared->seconds[number] = (end - begin) / 1e9;
	_exit(0);
}

/* How often a second so many processes together can register, or just spin. */
static double measured(int processes, bool same_files, bool just_spin, unsigned int pages,
		       unsigned long ms)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double rate = 0;
	int files[FILES];

	need(shared != MAP_FAILED);
	if (same_files)
		make_files(files, pages);
	for (int i = 0; i < processes; i++) {
		pid_t child = fork();

		need(child >= 0);
		if (child == 0)
			work(shared, i, same_files ? files : NULL, pages, just_spin, ms);
	}
	while (atomic_load(&shared->ready) < processes)
		usleep(1000);
	atomic_store(&shared->start, true);
	for (int i = 0; i < processes; i++) {
		int status;

		need(wait(&status) > 0 && status == 0);
	}
	for (int i = 0; i < processes; i++)
		rate += shared->rounds[i] / shared->seconds[i];
	if (same_files)
		for (int i = 0; i < FILES; i++)
			close(files[i]);
	munmap(shared, sizeof(*shared));
	return rate;
}

static void compare(const char *files, bool same, unsigned int pages, unsigned long ms)
{
	double one = measured(1, same, false, pages, ms);
	double two = measured(2, same, false, pages, ms);
	double bound = measured(2, same, true, pages, ms) / measured(1, same, true, pages, ms);

	printf("sample throughput files=%s processes=1 %.2f\n", files, one);
	printf("sample throughput files=%s processes=2 %.2f\n", files, two);
	printf("sample scaling files=%s %.4f\n", files, two / one);
	printf("floor scaling files=%s %.4f\n", files, bound);
}

int main(int argc, char **argv)
{
	unsigned int pages;
	unsigned long ms;

	need(argc == 3);
	pages = strtoul(argv[1], NULL, 10) / FILES;
	ms = strtoul(argv[2], NULL, 10);
	for (int i = 0; i < TIMES; i++) {
		compare("own", false, pages, ms);
		compare("shared", true, pages, ms);
	}
	return 0;
}
