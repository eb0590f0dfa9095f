/* SPDX-License-Identifier: GPL-2.0 */
/* A process of the torture: threads with plans, and one that reads what they work on. */
#ifndef TORTURE_WORKER_H
#define TORTURE_WORKER_H

#include <stdint.h>

/* Runs the threads [first, first + count) of the run. Does not return. */
void worker_run(unsigned int first, unsigned int count, uint64_t steps) __attribute__((noreturn));

#endif
