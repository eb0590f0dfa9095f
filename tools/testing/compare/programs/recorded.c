// SPDX-License-Identifier: GPL-2.0
/*
 * recorded PROGRAM [ARGUMENT...]
 *
 * Runs a program that subscribes its memory to a session which it is handed
 * down (tools/testing/coverage/programs/recorder.h), with the same addresses
 * each time, and prints the record below what the program prints.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "khugepaged.h"
#include "lines.h"
#include "../../coverage/programs/recorder.h"

static void give_up(const char *what)
{
	perror(what);
	exit(127);
}

static void run(char **program, int session)
{
	char fd[16];
	cpu_set_t first;

	/* Where a process has run decides whether TLB flushes are put off. */
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		give_up("sched_setaffinity");
	snprintf(fd, sizeof(fd), "%d", session);
	setenv(RECORDER_ENV, fd, 1);
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		give_up("personality");
	execv(program[0], program);
	give_up(program[0]);
}

int main(int argc, char **argv)
{
	/* It stays open in the program. */
	int session = open("/dev/mmu_notifier_test", O_RDWR);
	int status;
	pid_t child;

	if (session < 0 || argc < 2)
		give_up("/dev/mmu_notifier_test");
	khugepaged_sleeps();
	child = fork();
	if (!child)
		run(argv + 1, session);
	if (child < 0 || waitpid(child, &status, 0) != child)
		give_up("the program");
	printf("record\n");
	lines_print(session);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
