// SPDX-License-Identifier: GPL-2.0
/*
 * random_programs -s SEED -f FIRST -n COUNT [-x STEP,...]
 *
 * Runs programs of random steps, each in a process of its own, and prints what
 * each step did, what it returned, and what the core told meanwhile. All is
 * determined by seed and number of the program. Steps named by -x are left
 * out; the others stay what they are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "khugepaged.h"
#include "lines.h"
#include "scene.h"

#define MOST_STEPS	64
/* Only to end what hangs. */
#define SECONDS		100

static bool left_out[MOST_STEPS];

static step_fn *pick(const struct step *steps, struct draw *from)
{
	unsigned int total = 0, left;

	for (const struct step *step = steps; step->run; step++)
		total += step->weight;
	left = below(from, total);
	for (; left >= steps->weight; steps++)
		left -= steps->weight;
	return steps->run;
}

static step_fn *pick_any(struct draw *from, int number)
{
	/* First of all, somebody who is to be told. */
	unsigned int kind = number < 3 ? 99 : below(from, 100);

	if (kind < 50)
		return pick(memory_steps, from);
	if (kind < 62)
		return step_race;
	if (kind < 66)
		return step_victim;
	return pick(notifier_steps, from);
}

static void run(int session, uint64_t seed, unsigned int program)
{
	struct draw from = draw_from(seed, program, MOST_STEPS);
	int steps = 20 + below(&from, 20);
	struct scene scene;

	alarm(SECONDS);
	scene_open(&scene, session);
	for (int number = 0; number < steps; number++) {
		if (left_out[number])
			continue;
		from = draw_from(seed, program, number);
		printf("step %d\n", number);
		pick_any(&from, number)(&scene, &from);
		lines_print(session);
	}
	race_over();
	fflush(stdout);
	/* A child that still lives holds nothing of this process, and goes by itself. */
	_exit(0);
}

static void run_alone(uint64_t seed, unsigned int program)
{
	int session = mnt_open();
	int status;
	pid_t child;

	if (session < 0) {
		perror("/dev/mmu_notifier_test");
		exit(1);
	}
	printf("program %u\n", program);
	fflush(stdout);
	child = fork();
	if (!child)
		run(session, seed, program);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("fork");
		exit(1);
	}
	printf("step end\nended %d\n", status);
	lines_print(session);
	close(session);
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity");
}

int main(int argc, char **argv)
{
	unsigned long first = 0, count = 1;
	uint64_t seed = 1;
	int option;

	while ((option = getopt(argc, argv, "s:f:n:x:")) != -1)
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			first = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			for (char *at = strtok(optarg, ","); at; at = strtok(NULL, ","))
				left_out[strtoul(at, NULL, 0) % MOST_STEPS] = true;
			break;
		default:
			return 2;
		}
	pin();
	khugepaged_sleeps();
	for (unsigned long program = first; program < first + count; program++)
		run_alone(seed, program);
	printf("done\n");
	return 0;
}
