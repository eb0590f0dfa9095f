// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How long the end of a subscription takes: latency idle COUNT, or latency stuck COUNT MS
 *
 * For "stuck", a process whose invalidation takes MS milliseconds is in that callback all the
 * while; it shares nothing with the others.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Long enough for what the one before has left to be freed. */
#define PAUSE_NS 20000000ULL
#define PATIENCE_NS 60000000000ULL

enum end { UNREGISTER, PUT, EXIT, EXIT_UNSUBSCRIBED, ENDS };

/* One that ends its subscription when it is told to; it lies in memory shared with the parent. */
struct ender {
	enum end end;
	pid_t pid;
	int ready[2], go[2];
	unsigned long long begin, first, last;
};

static void end_subscription(struct ender *ender)
{
	struct bench_subscriptions one = { .count = 1 };
	struct bench_put put;
	char byte = 0;
	int fd = bench_open();

	if (ender->end != EXIT_UNSUBSCRIBED)
		bench(fd, BENCH_SUBSCRIBE, &one);
	need(write(ender->ready[1], &byte, 1) == 1);
	need(read(ender->go[0], &byte, 1) == 1);
	switch (ender->end) {
	case UNREGISTER:
		bench(fd, BENCH_UNREGISTER, &one);
		ender->first = one.ns;
		break;
	case PUT:
		bench(fd, BENCH_PUT, &put);
		ender->first = put.ns_returned;
		ender->last = put.ns_freed;
		break;
	default:
		ender->begin = now();
	}
	_exit(0);
}

static void start(struct ender *ender, enum end end)
{
	char byte;
	pid_t pid;

	ender->end = end;
	need(pipe(ender->ready) == 0 && pipe(ender->go) == 0);
	pid = fork();
	need(pid >= 0);
	if (pid == 0)
		end_subscription(ender);
	/* Not by the child too, for whom it is 0. */
	ender->pid = pid;
	need(read(ender->ready[0], &byte, 1) == 1);
}

static void go(struct ender *ender)
{
	char byte = 0;

	need(write(ender->go[1], &byte, 1) == 1);
}

/* Takes note of who has ended, if anybody has, and returns how many. */
static size_t reap(struct ender *enders, size_t count)
{
	size_t ended = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		unsigned long long end = now();

		need(status == 0);
		ended++;
		for (size_t i = 0; i < count; i++) {
			if (enders[i].pid != pid)
				continue;
			for (int side = 0; side < 2; side++) {
				close(enders[i].ready[side]);
				close(enders[i].go[side]);
			}
			if (enders[i].begin)
				enders[i].first = end - enders[i].begin;
		}
	}
	return ended;
}

/* Reaps for so long, or until `left` have ended; SIGCHLD is blocked. Returns who is left. */
static size_t reap_for(struct ender *enders, size_t count, unsigned long long ns, size_t left)
{
	unsigned long long end = now() + ns, time;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (left && (time = now()) < end) {
		const struct timespec rest = {
			(end - time) / 1000000000, (end - time) % 1000000000,
		};

		sigtimedwait(&child, NULL, &rest);
		left -= reap(enders, count);
	}
	return left;
}

static void report(const struct ender *ender, const char *others)
{
	switch (ender->end) {
	case UNREGISTER:
		printf("sample latency of=unregister others=%s %llu\n", others, ender->first);
		break;
	case PUT:
		printf("sample latency of=put others=%s %llu\n", others, ender->first);
		printf("sample latency of=put_until_freed others=%s %llu\n", others, ender->last);
		break;
	case EXIT:
		printf("sample latency of=exit others=%s %llu\n", others, ender->first);
		break;
	default:
		printf("floor latency of=exit others=%s %llu\n", others, ender->first);
	}
}

static void one_by_one(struct ender *enders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		start(&enders[i], i % ENDS);
		usleep(PAUSE_NS / 1000);
		go(&enders[i]);
		need(reap_for(&enders[i], 1, PATIENCE_NS, 1) == 0);
		report(&enders[i], "idle");
		fflush(stdout);
	}
}

static void start_stuck(unsigned long ms)
{
	int ready[2], fd;
	char byte = 0;
	pid_t child;

	need(pipe(ready) == 0);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		need(page != MAP_FAILED);
		*page = 1;
		fd = bench_open();
		need(ioctl(fd, BENCH_STICK, ms) == 0);
		need(write(ready[1], &byte, 1) == 1);
		need(mprotect(page, PAGE, PROT_READ) == 0);
		_exit(0);
	}
	need(read(ready[0], &byte, 1) == 1);
	fd = bench_open();
	need(ioctl(fd, BENCH_WAIT_STUCK, 0) == 0);
	close(fd);
}

/* All are ready before anybody is stuck, and end one a little later than the other. */
static void while_stuck(struct ender *enders, size_t count, unsigned long ms)
{
	/* And the one that is stuck. */
	size_t left = count + 1;

	for (size_t i = 0; i < count; i++)
		start(&enders[i], i % ENDS);
	start_stuck(ms);
	for (size_t i = 0; i < count; i++) {
		go(&enders[i]);
		left = reap_for(enders, count, PAUSE_NS, left);
	}
	need(reap_for(enders, count, PATIENCE_NS, left) == 0);
	for (size_t i = 0; i < count; i++)
		report(&enders[i], "stuck");
}

int main(int argc, char **argv)
{
	struct ender *enders;
	size_t count;

	sigset_t blocked;

	need(argc >= 3);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	need(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	count = strtoul(argv[2], NULL, 10) * ENDS;
	enders = mmap(NULL, count * sizeof(*enders), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(enders != MAP_FAILED);
	if (argc == 3 && !strcmp(argv[1], "idle"))
		one_by_one(enders, count);
	else if (argc == 4 && !strcmp(argv[1], "stuck"))
		while_stuck(enders, count, strtoul(argv[3], NULL, 10));
	else
		return 2;
	return 0;
}
