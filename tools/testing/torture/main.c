// SPDX-License-Identifier: GPL-2.0
/*
 * Changes memory in all ways that there are and sees that each secondary MMU sees what the
 * processor sees.
 *
 * usage: torture [-n SECONDS] [-s SEED] [-p PROCESSES] [-t THREADS] [-c STEPS] [-x SECONDARY]...
 *        torture -l THREAD [-s SEED] -c STEPS
 *
 * Runs until the time is over, or each thread has done its steps (-c), or a stale read is found,
 * and prints what it did as a line of JSON; -x leaves a secondary out. With -l it lists the plan
 * of a thread instead, which depends on the seed and the thread's number alone. Exit status: 0,
 * 1 for a stale read, 2 if the torture itself did not go as planned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chores.h"
#include "operations.h"
#include "plan.h"
#include "shared.h"
#include "worker.h"

struct options {
	double seconds;
	uint64_t seed;
	unsigned int processes, threads;
	uint64_t steps;
	long listed;
	unsigned int left_out;
};

static int usage(void)
{
	fprintf(stderr, "usage: torture [-n SECONDS] [-s SEED] [-p PROCESSES] [-t THREADS] "
			"[-c STEPS]\n"
			"               [-x SECONDARY]...\n"
			"       torture -l THREAD [-s SEED] -c STEPS\n");
	return 2;
}

static int list_plan(const struct options *options)
{
	for (uint64_t number = 0; number < options->steps; number++) {
		struct step step = plan_step(options->seed, options->listed, number);

		printf("%" PRIu64 " %s %s %u+%u argument=%#" PRIx64 " prime=%u of=%#x writer=%u "
		       "sample=", number, operations[step.operation].name,
		       region_kind[step.region].name, step.first, step.count, step.argument,
		       step.prime, step.secondaries, step.writer);
		for (unsigned int i = 0; i < SAMPLE; i++)
			printf("%u%c", step.sample[i], i + 1 < SAMPLE ? ',' : '\n');
	}
	return 0;
}

/* The bit of a secondary; 0 for a name that is none's. */
static unsigned int secondary_bit(const char *name)
{
	for (unsigned int number = 0; number < SECONDARIES; number++)
		if (!strcmp(name, secondary_classes[number]->name))
			return 1U << number;
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static pid_t start_chores(const pid_t *workers, unsigned int count)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		chores_watch(workers, count);
		chores_run(shared->seed);
		_exit(0);
	}
	return pid;
}

/* Waits until the workers have ended, telling them to when the time is over. */
static void wait_for(unsigned int workers, double deadline, sigset_t *child)
{
	struct timespec second = { .tv_sec = 1 };
	unsigned long last = 0;
	int status;

	while (workers) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0) {
			workers--;
			if (status)
				report_broken(&(struct place){ .operation = "a process's end" },
					      strsignal(WTERMSIG(status)), ECHILD);
			continue;
		}
		if (now() >= deadline)
			shared->over = true;
		if (shared->comparisons != last && !shared->over)
			fprintf(stderr, "progress %lu steps, %lu comparisons, %.0f s to go\n",
				shared->steps, last = shared->comparisons, deadline - now());
		sigtimedwait(child, NULL, &second);
	}
}

static bool share_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	return !pthread_rwlockattr_init(&attributes) &&
	       !pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) &&
	       !pthread_rwlock_init(lock, &attributes);
}

static int torture(const struct options *options)
{
	pid_t pid[options->processes], background;
	double begin = now();
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (unsigned int i = 0; i < options->processes; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			worker_run(i * options->threads, options->threads, options->steps);
		if (pid[i] < 0)
			return 2;
	}
	background = start_chores(pid, options->processes);
	wait_for(options->processes, begin + options->seconds, &child);
	shared->over = true;
	if (background > 0) {
		kill(background, SIGKILL);
		waitpid(background, NULL, 0);
	}
	report_summary(now() - begin);
	return shared->stale ? 1 : shared->broken ? 2 : 0;
}

int main(int argc, char **argv)
{
	struct options options = {
		.seconds = 30, .seed = 1, .processes = 2, .threads = 2, .listed = -1,
	};
	int option;

	while ((option = getopt(argc, argv, "n:s:p:t:c:l:x:")) != -1) {
		switch (option) {
		case 'n':
			options.seconds = atof(optarg);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			options.processes = atoi(optarg);
			break;
		case 't':
			options.threads = atoi(optarg);
			break;
		case 'c':
			options.steps = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			options.listed = atol(optarg);
			break;
		case 'x':
			if (!secondary_bit(optarg))
				return usage();
			options.left_out |= secondary_bit(optarg);
			break;
		default:
			return usage();
		}
	}
	if (optind != argc || options.processes < 1 || options.processes > 16 ||
	    options.threads < 1 || options.threads > 16)
		return usage();
	if (options.listed >= 0)
		return list_plan(&options);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	shared->seed = options.seed;
	shared->left_out = options.left_out;
	if (!share_lock(&shared->reclaim))
		return 2;
	return torture(&options);
}
