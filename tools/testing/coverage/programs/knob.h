/* SPDX-License-Identifier: GPL-2.0 */
/* Settings of the kernel that a test changes and puts back. */
#ifndef COVERAGE_KNOB_H
#define COVERAGE_KNOB_H

/*
 * Sets a file of /sys or /proc and remembers what it held; returns 0, or -1
 * with errno. What a file offers to choose from is put back by its choice in
 * brackets.
 */
int knob_set(const char *path, const char *value);

/* Writes a file whose old content does not matter. */
int knob_write(const char *path, const char *value);

/* The number in a file, -1 if there is none. */
long knob_read(const char *path);

/* Puts back all that was set, the last first. */
void knobs_restore(void);

#endif
