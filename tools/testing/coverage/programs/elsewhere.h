/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keeps the process running on another processor than the caller's, so that
 * its translations may be in the TLBs of both.
 */
#ifndef COVERAGE_ELSEWHERE_H
#define COVERAGE_ELSEWHERE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

struct elsewhere {
	pthread_t thread;
	cpu_set_t allowed;
	atomic_bool running;
	atomic_bool stop;
};

/* Keeps the caller on processor 0 and a thread on 1; 0, or -1 with errno. */
int elsewhere_start(struct elsewhere *elsewhere);

void elsewhere_stop(struct elsewhere *elsewhere);

#endif
