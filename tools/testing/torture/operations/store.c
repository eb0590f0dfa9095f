// SPDX-License-Identifier: GPL-2.0
#include "compare.h"
#include "operations.h"

/* The processor writes, and breaks what sharing there is. */
int op_store(struct thread *thread, struct region *region, const struct step *step)
{
	for (unsigned int page = step->first; page < step->first + step->count; page++)
		compare_store(thread, region, page);
	for (unsigned int i = 0; i < SAMPLE; i++)
		compare_store(thread, region, step->sample[i]);
	return 0;
}
