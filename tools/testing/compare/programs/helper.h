/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread that waits to be given something to do. It is there from the start:
 * while an invalidation is held up nothing can be mapped, and so no thread made.
 */
#ifndef COMPARE_HELPER_H
#define COMPARE_HELPER_H

#include <semaphore.h>

#include "mnt.h"

struct helper {
	struct job job;
	sem_t go, over;
	bool busy;
};

void helper_start(struct helper *helper);
void helper_do(struct helper *helper, long (*fn)(void *arg), void *arg);
/* Whether it sleeps in a kernel function of this name; false once it is done. */
bool helper_blocks(struct helper *helper, const char *where);
/* What it has returned, or minus its errno. */
long helper_result(struct helper *helper);
void helper_end(struct helper *helper);

#endif
