/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Some operations invalidate the same pages twice in a row, and the second
 * time there is nothing left to drop. This holds them up in between, in
 * callbacks of the project's test driver, so that a test can look, or can
 * bring the translations back. What is held up keeps its locks, the mmap lock
 * most of all: meanwhile the test must not need them.
 */
#ifndef COVERAGE_PAUSE_H
#define COVERAGE_PAUSE_H

#include <stddef.h>

/*
 * Shuts a gate for the ends of invalidations in the area; the fd, or -1.
 * Before the devices are opened: who has subscribed first is told of an end
 * last.
 */
int pause_ends(const void *area, size_t size);

/* Waits until an end has come to the gate; 0, or -1 with errno. */
int pause_wait(int fd);

/* Opens the gate, for good. */
int pause_over(int fd);

/*
 * Makes a gate for starts, which stays open. After the devices are opened: who
 * has subscribed last is told of a start first.
 */
int pause_starts(int fd, const void *area, size_t size);

/*
 * Shuts that gate, opens the one for ends, and waits until a second start has
 * come to the gate, of which the devices have not been told yet.
 */
int pause_second_start(int fd);

/* Opens the gate for starts. */
int pause_starts_over(int fd);

/* How many invalidations of just this range have come to `pause_ends`; or -1. */
int pause_told(int fd, const void *start, size_t size);

#endif
