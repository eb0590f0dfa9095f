/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Some operations invalidate the same pages twice in a row, and the second
 * time there is nothing left to drop. This holds them up in between, in a
 * callback of the project's test driver, so that a test can bring the
 * translations back. Pause before the devices are opened: who has subscribed
 * first is told of an end last.
 */
#ifndef COVERAGE_PAUSE_H
#define COVERAGE_PAUSE_H

#include <stddef.h>

/* Shuts the gate for the end of invalidations in the area; the fd, or -1. */
int pause_ends(const void *area, size_t size);

/* Waits until an end has come to the gate; 0, or -1 with errno. */
int pause_wait(int fd);

/* Opens the gate, for good. */
int pause_over(int fd);

#endif
