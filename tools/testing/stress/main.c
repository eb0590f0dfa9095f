// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one job of the stress.
 *
 * usage: stress JOB SEED [ARGUMENT...]
 *        stress hold DEVICE... -- COMMAND...
 *
 * Prints `progress COUNTER=N ...` each second until SIGTERM, and `wrong ...` for what it found.
 * Exit status: 0 if all went well, 1 if something was wrong, 2 if the job cannot be run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mnt.h"
#include "stress.h"

static const struct job_class *const classes[] = {
	&subscribers, &users, &victims, &modules, &hotplug, &knobs,
};

struct shared {
	atomic_bool over, wrong;
	atomic_ulong counts[COUNTERS];
};

static struct shared *shared;
static const struct job_class *class;
static uint64_t seed, number;
static unsigned int worker;

char **arguments;
unsigned int argument_count;

void count_many(unsigned int counter, unsigned long more)
{
	shared->counts[counter] += more;
}

void count(unsigned int counter)
{
	count_many(counter, 1);
}

bool over(void)
{
	return shared->over;
}

/* One write(2) a line: those of several processes do not mix. */
void wrong(const char *format, ...)
{
	char said[256], line[512];
	va_list list;
	int length;

	va_start(list, format);
	vsnprintf(said, sizeof(said), format, list);
	va_end(list);
	length = snprintf(line, sizeof(line), "wrong %s seed=%" PRIu64 " worker=%u turn=%" PRIu64
			  ": %s (%s)\n", class->name, seed, worker, number, said, strerror(errno));
	shared->over = true;
	/* What comes after it may be its consequence. */
	if (atomic_exchange(&shared->wrong, true))
		return;
	if (write(STDOUT_FILENO, line, length) != length)
		abort();
}

bool is_absent(int error)
{
	return error == ENOENT || error == ENODEV || error == ENXIO;
}

void pause_ms(unsigned int milliseconds)
{
	usleep(1000 * milliseconds);
}

bool life_ends(pid_t child, unsigned int kill_after)
{
	int end;

	if (kill_after) {
		pause_ms(kill_after);
		kill(child, SIGKILL);
	}
	end = child_wait(child);
	if (end == -SIGKILL && kill_after)
		return true;
	if (end)
		wrong("a life ended with %d", end);
	return false;
}

static void work(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (class->begin)
		class->begin(worker);
	for (number = 0; !over(); number++)
		class->turn(worker, random_of(seed, worker, number));
	if (class->end)
		class->end(worker);
	_exit(0);
}

static void tell(const char *what)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "%s", what);

	for (unsigned int i = 0; i < COUNTERS && class->counters[i]; i++)
		length += snprintf(line + length, sizeof(line) - length, " %s=%lu",
				   class->counters[i], shared->counts[i]);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, length) != length)
		shared->over = true;
}

static const struct job_class *class_named(const char *name)
{
	for (unsigned int i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (!strcmp(name, classes[i]->name))
			return classes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct timespec second = { .tv_sec = 1 };
	sigset_t end;
	int status;

	if (argc > 3 && !strcmp(argv[1], "hold"))
		return hold(argv + 2);
	class = argc > 2 ? class_named(argv[1]) : NULL;
	if (!class) {
		fprintf(stderr, "usage: stress JOB SEED [ARGUMENT...]\n"
				"       stress hold DEVICE... -- COMMAND...\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 0);
	arguments = argv + 3;
	argument_count = argc - 3;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	for (worker = 0; worker < class->workers; worker++) {
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (pid == 0)
			work();
	}
	do
		tell("progress");
	while (!over() && sigtimedwait(&end, NULL, &second) != SIGTERM);
	shared->over = true;
	while (wait(&status) > 0 || errno == EINTR)
		if (status) {
			shared->wrong = true;
			printf("wrong %s: a worker ended with status %#x\n", class->name, status);
			fflush(stdout);
		}
	tell("summary");
	return shared->wrong;
}
