/* SPDX-License-Identifier: GPL-2.0 */
/* Memory to operate on, and what the kernel tells of it in /proc/self/pagemap. */
#ifndef COVERAGE_AREA_H
#define COVERAGE_AREA_H

#include <stdint.h>
#include <unistd.h>

#include "secondary.h"

/* What one page of page tables spans. */
#define PUD	(512 * HUGE)

/*
 * Waits for what another thread of the kernel does, which may have to wait
 * itself; the limit is the test's own, TEST_F_TIMEOUT.
 */
#define AWAIT(condition) do {		\
	while (!(condition))		\
		usleep(1000);		\
} while (0)

/*
 * Maps `size` bytes at a multiple of `align`, with room around it so that it
 * stays apart from all else; returns NULL if it cannot. `flags` and `fd` are
 * those of mmap().
 */
char *area_map(size_t size, size_t align, int flags, int fd);

/* Anonymous memory of this process alone, as huge pages see fit. */
char *area_private(size_t size);

/* The number of the frame that the page is in, 0 if none. Needs root. */
uint64_t area_frame(const char *page);

/* How many bytes of the area are mapped in pieces of 2 MiB. */
size_t area_huge(const char *area, size_t size);

/*
 * Has all new pages leave the lists of the processors that made them, where
 * nobody looks for pages to take or to move; 0, or -1 with errno.
 */
int area_settle(void);

#endif
