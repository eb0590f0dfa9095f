// SPDX-License-Identifier: GPL-2.0
/*
 * The user's side: gives the kernel's code a CPU, then measures its calls or
 * writes down each of their instructions.
 */

#define _GNU_SOURCE

#include <asm/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

#define BATCH_NS	200000.0

/* Bounds of the kernel's per-CPU variables, of link.lds. */
extern char __per_cpu_start[], __per_cpu_end[];

static const char *const core_names[NR_CORES] = { "c", "rust", "floor" };
static const char *const call_names[NR_CALLS] = {
	"start_end", "test_young", "clear_flush_young"
};

void user_fail(const char *why)
{
	fprintf(stderr, "native: %s\n", why);
	exit(1);
}

/* Where a function of the kernel leads that is not linked. */
__attribute__((noreturn, force_align_arg_pointer)) void user_missing(const char *name)
{
	fprintf(stderr, "native: %s() was called, which is not linked\n", name);
	_exit(1);
}

void *user_alloc(unsigned long size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~63UL);

	if (!memory)
		user_fail("no memory");
	return memset(memory, 0, size);
}

/* The kernel's, with which a core allocates what an mm needs. */
void *__kmalloc_cache_noprof(void *cache, unsigned int flags, size_t size)
{
	return user_alloc(size);
}

/* A copy of the per-CPU variables, found by way of GS as the kernel finds them. */
static void enter_cpu(void)
{
	size_t size = __per_cpu_end - __per_cpu_start;
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long offset = area - __per_cpu_start;

	if (area == MAP_FAILED)
		user_fail("no memory for the per-CPU variables");
	memcpy(area, __per_cpu_start, size);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, offset))
		user_fail("the base of GS cannot be set");
	scene_enter_cpu(offset);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static double batch(enum core core, enum call call, unsigned long times)
{
	double begin = now();

	scene_call(core, call, times);
	return (now() - begin) / times;
}

/* One line for each round: the nanoseconds of a call in each core. */
static void measure(enum call call, double seconds)
{
	unsigned long times[NR_CORES], round;
	double end;
	int core;

	for (core = 0; core < NR_CORES; core++) {
		times[core] = 1;
		while (batch(core, call, times[core]) * times[core] < BATCH_NS)
			times[core] *= 2;
	}
	end = now() + seconds * 1e9;
	for (round = 0; now() < end; round++) {
		double ns[NR_CORES];

		/* each goes first in one round of three */
		for (core = 0; core < NR_CORES; core++) {
			enum core turn = (core + round) % NR_CORES;

			ns[turn] = batch(turn, call, times[turn]);
		}
		printf("%.3f %.3f %.3f\n", ns[CORE_C], ns[CORE_RUST], ns[CORE_FLOOR]);
	}
}

/* Writes the address of each instruction of one call, and of what surrounds it, as u64. */
static void trace(enum core core, enum call call)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		user_fail("fork failed");
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		scene_call(core, call, 1);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		user_fail("the traced process did not stop");
	while (!ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) &&
	       waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		uint64_t ip = ptrace(PTRACE_PEEKUSER, child,
				     offsetof(struct user_regs_struct, rip), NULL);

		if (WSTOPSIG(status) != SIGTRAP)
			user_fail("the traced process was hit by a signal");
		fwrite(&ip, sizeof(ip), 1, stdout);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		user_fail("the traced process failed");
}

static int named(const char *name, const char *const *names, int count)
{
	int index;

	for (index = 0; index < count; index++)
		if (!strcmp(names[index], name))
			return index;
	user_fail("no such name");
}

/* measure|trace CALL SUBSCRIPTIONS INTERVALS OVERLAPPING SECONDS|CORE */
int main(int argc, char **argv)
{
	unsigned long subscriptions, intervals, overlapping, want;
	enum call call;
	int core;

	if (argc != 7)
		user_fail("wrong arguments");
	call = named(argv[2], call_names, NR_CALLS);
	subscriptions = strtoul(argv[3], NULL, 0);
	intervals = strtoul(argv[4], NULL, 0);
	overlapping = strtoul(argv[5], NULL, 0);

	enter_cpu();
	scene_begin();
	if (intervals)
		scene_subscribe_intervals(intervals, overlapping);
	if (subscriptions)
		scene_subscribe_list(subscriptions);

	want = subscriptions * (call == CALL_START_END ? 2 : 1) + overlapping;
	for (core = 0; core < NR_CORES; core++)
		if (scene_callbacks(core, call) != want)
			user_fail("a core did not make the calls that it should");

	if (!strcmp(argv[1], "trace"))
		trace(named(argv[6], core_names, NR_CORES), call);
	else
		measure(call, strtod(argv[6], NULL));
	return 0;
}
