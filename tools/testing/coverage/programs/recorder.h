/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core tells is recorded while `recorded` (tools/testing/compare) runs
 * a test: it hands down a session of the project's test driver, and each
 * process that opens the secondary MMUs subscribes its memory to it as well.
 * Otherwise these do nothing.
 */
#ifndef COVERAGE_RECORDER_H
#define COVERAGE_RECORDER_H

#include <stddef.h>

#define RECORDER_ENV	"MNT_SESSION"

/* Subscribes this process to the session; 0, or -1 with errno. */
int recorder_subscribe(void);

/* The record heeds this memory, and all that was named before; 0, or -1. */
int recorder_watch(const void *area, size_t size);

#endif
