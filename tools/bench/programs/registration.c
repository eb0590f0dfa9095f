// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What it costs to register and to unregister: registration KIND COUNT TIMES
 *
 * The first registration makes the state of the address space; TIMES later ones find it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* As a process has libraries: many mappings of few files. */
#define FILES 100

/*
 * Neighbours differ in a flag, so that they are not merged; were it the protection alone, they
 * would share one anon_vma.
 */
static void map_anonymous(unsigned int count)
{
	char *area = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	need(area != MAP_FAILED);
	need(madvise(area, count * PAGE, MADV_NOHUGEPAGE) == 0);
	for (unsigned int i = 1; i < count; i += 2)
		need(madvise(area + i * PAGE, PAGE, MADV_DONTDUMP) == 0);
	for (unsigned int i = 0; i < count; i++)
		area[i * PAGE] = 1;
}

static void map_files(unsigned int count)
{
	unsigned int files = count < FILES ? count : FILES;

	for (unsigned int i = 0; i < files; i++) {
		unsigned int pages = count / files + (i < count % files);
		int fd = memfd_create("bench", MFD_CLOEXEC);
		char *area;

		need(fd >= 0 && ftruncate(fd, pages * PAGE) == 0);
		area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		need(area != MAP_FAILED);
		for (unsigned int page = 1; page < pages; page += 2)
			need(mprotect(area + page * PAGE, PAGE, PROT_READ) == 0);
		close(fd);
	}
}

static void measure(const char *kind, unsigned int count, unsigned int times)
{
	struct bench_subscriptions one = { .count = 1 };
	int fd = bench_open();

	bench(fd, BENCH_SUBSCRIBE, &one);
	printf("sample register vmas=%u kind=%s registration=first %llu\n", count, kind, one.ns);
	for (unsigned int i = 0; i < times; i++) {
		bench(fd, BENCH_SUBSCRIBE, &one);
		printf("sample register vmas=%u kind=%s registration=second %llu\n", count, kind,
		       one.ns);
		bench(fd, BENCH_UNREGISTER, &one);
		printf("sample unregister vmas=%u kind=%s %llu\n", count, kind, one.ns);
	}
	/* None is left to be freed by and by, which would delay the next program's. */
	bench(fd, BENCH_UNREGISTER, &one);
}

struct job {
	const char *kind;
	unsigned int count, times;
};

static void measure_child(const void *argument)
{
	const struct job *job = argument;

	measure(job->kind, job->count, job->times);
}

int main(int argc, char **argv)
{
	struct job job;

	need(argc == 4);
	job = (struct job){ argv[1], atoi(argv[2]), atoi(argv[3]) };
	if (!strcmp(job.kind, "file"))
		map_files(job.count);
	else
		map_anonymous(job.count);
	/* The child shares each anon_vma's root with its parent, who stays. */
	if (!strcmp(job.kind, "shared"))
		in_child(measure_child, &job);
	else
		measure(job.kind, job.count, job.times);
	return 0;
}
