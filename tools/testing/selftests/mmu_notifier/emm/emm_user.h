/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of /dev/emm as functions; they return 0 or the errno. */
#ifndef EMM_USER_H
#define EMM_USER_H

#include <stddef.h>

#include "emm.h"

int emm_open(void);
int emm_watch(int fd, const void *start, size_t length);
int emm_read(int fd, struct emm_record *records, unsigned int room,
	     unsigned int *count, unsigned int *lost);
int emm_answer(int fd, unsigned long answer);
struct emm_counts emm_counts(int fd);

/*
 * Takes all records out, one word for each: "start[2,5) end[2,5)", in pages
 * from @base; ~ if the call may not sleep. Overwritten by the next call.
 */
const char *emm_trace(int fd, const void *base);

#endif
