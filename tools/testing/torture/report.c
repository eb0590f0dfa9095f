// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chores.h"
#include "operations.h"
#include "shared.h"

struct shared *shared;

/* One write(2) a line: those of several processes do not mix. */
static void say(const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (write(STDOUT_FILENO, line, length) != length)
		shared->broken = true;
}

void report_stale(const struct place *place, const void *address, uint64_t cpu,
		  const char *secondary, uint64_t seen, const char *what)
{
	if (atomic_exchange(&shared->stale, true))
		return;
	shared->over = true;
	say("STALE seed=%lu thread=%u step=%lu operation=%s region=%s page=%u address=%p "
	    "cpu=%#lx secondary=%s saw=%#lx: %s\n",
	    shared->seed, place->thread, place->step, place->operation, place->region, place->page,
	    address, cpu, secondary, seen, what);
}

void report_broken(const struct place *place, const char *what, int error)
{
	if (atomic_exchange(&shared->broken, true))
		return;
	shared->over = true;
	say("BROKEN seed=%lu thread=%u step=%lu operation=%s region=%s page=%u: %s (%s)\n",
	    shared->seed, place->thread, place->step, place->operation, place->region, place->page,
	    what, strerror(error));
}

static void print_counts(const char *title, const struct count_of_operation *counts,
			 const char *(*name)(unsigned int number), unsigned int number)
{
	printf(", \"%s\": {", title);
	for (unsigned int i = 0; i < number; i++)
		printf("%s\"%s\": {\"done\": %lu, \"refused\": %lu}", i ? ", " : "", name(i),
		       counts[i].done, counts[i].refused);
	printf("}");
}

static const char *operation_name(unsigned int number)
{
	return operations[number].name;
}

static const char *chore_name(unsigned int number)
{
	return chores[number].name;
}

void report_summary(double seconds)
{
	printf("{\"seed\": %lu, \"seconds\": %.1f, \"steps\": %lu, \"comparisons\": %lu, "
	       "\"stale\": %d, \"broken\": %d",
	       shared->seed, seconds, shared->steps, shared->comparisons, shared->stale,
	       shared->broken);
	print_counts("operations", shared->operation, operation_name, operation_count);
	print_counts("chores", shared->chore, chore_name, chore_count);
	printf(", \"secondaries\": {");
	for (unsigned int i = 0; i < SECONDARIES; i++) {
		const struct count_of_secondary *count = &shared->secondary[i];

		printf("%s\"%s\": {\"open\": %u, \"present\": %lu, \"absent\": %lu, "
		       "\"reads\": %lu, \"writes\": %lu, \"refused\": %lu, \"busy\": %lu, "
		       "\"concurrent\": %lu}",
		       i ? ", " : "", secondary_classes[i]->name, shared->open[i], count->present,
		       count->absent, count->reads, count->writes, count->refused, count->busy,
		       count->concurrent);
	}
	printf("}}\n");
	fflush(stdout);
}
