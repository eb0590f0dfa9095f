/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the programs of the bench share.
 *
 * Each prints lines "sample FIGURE KEY=VALUE... NUMBER" of the core in charge, and "floor ...".
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>

#include "../driver/mmu_notifier_bench_uapi.h"

#define PAGE 4096UL

/* Ends the program with a message if `condition` does not hold. */
#define need(condition) \
	do { \
		if (!(condition)) \
			give_up(__FILE__, __LINE__, #condition); \
	} while (0)

_Noreturn void give_up(const char *file, int line, const char *what);

int bench_open(void);
void bench(int fd, unsigned long command, void *argument);

/* Runs `work` in a child, an address space of its own, and waits for it. */
void in_child(void (*work)(const void *), const void *argument);

double median(double *values, size_t count);
unsigned long long now(void);

#endif
