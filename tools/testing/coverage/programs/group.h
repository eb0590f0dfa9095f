/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A memory cgroup for this process, so that reclaim and aging can be asked for
 * its pages alone.
 */
#ifndef COVERAGE_GROUP_H
#define COVERAGE_GROUP_H

/* Makes it and moves the process into it; 0, or -1 with errno. */
int group_enter(void);

/* Has `bytes` of it reclaimed, or as much as can be; 0, or -1 with errno. */
int group_reclaim(const char *bytes);

/* Runs one round of aging by generations over its address spaces. */
int group_age(void);

/* Moves the process out and removes it. */
void group_leave(void);

#endif
