/* SPDX-License-Identifier: GPL-2.0 */
/* What a process does to its memory for the kernel to invalidate it. */
#ifndef STRESS_CHANGE_H
#define STRESS_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "random.h"

enum change {
	DISCARD,	/* words are zero afterwards */
	REPLACE,	/* and so here */
	MOVE_AWAY,	/* and here */
	PROTECT,
	FORK,
	PAGE_OUT,
	COOL,
	CHANGES
};

/* Memory of its own, its pages written once. */
char *map_area(size_t pages);

/* Does it to whole pages; whether it was done. Pages may be missing for a moment meanwhile. */
bool change(enum change what, char *start, size_t length);

/* Whether pages that it was done to are empty. */
bool empties(enum change what);

#endif
