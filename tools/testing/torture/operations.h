/* SPDX-License-Identifier: GPL-2.0 */
/* What a thread does to its memory. */
#ifndef TORTURE_OPERATIONS_H
#define TORTURE_OPERATIONS_H

#include "thread.h"

struct operation {
	const char *name;
	unsigned int weight;	/* how often, in relation to the others */
	unsigned int kinds;	/* of regions that it is for */
	/* Words may go back or vanish while it runs. */
	bool resets;
	/* Does it to pages [first, first + count). 0, or -errno where the kernel refused. */
	int (*run)(struct thread *thread, struct region *region, const struct step *step);
};

extern const struct operation operations[];
extern const unsigned int operation_count;

/* map.c */
int op_unmap(struct thread *thread, struct region *region, const struct step *step);
int op_map(struct thread *thread, struct region *region, const struct step *step);
int op_replace(struct thread *thread, struct region *region, const struct step *step);
int op_discard(struct thread *thread, struct region *region, const struct step *step);
int op_free(struct thread *thread, struct region *region, const struct step *step);

/* protect.c */
int op_protect(struct thread *thread, struct region *region, const struct step *step);
int op_allow(struct thread *thread, struct region *region, const struct step *step);
int op_soft_dirty(struct thread *thread, struct region *region, const struct step *step);

/* remap.c */
int op_move(struct thread *thread, struct region *region, const struct step *step);
int op_move_away(struct thread *thread, struct region *region, const struct step *step);

/* fork.c */
int op_fork(struct thread *thread, struct region *region, const struct step *step);

/* exit.c */
int op_exit(struct thread *thread, struct region *region, const struct step *step);

/* place.c */
int op_migrate(struct thread *thread, struct region *region, const struct step *step);
int op_collapse(struct thread *thread, struct region *region, const struct step *step);
int op_split(struct thread *thread, struct region *region, const struct step *step);
int op_page_out(struct thread *thread, struct region *region, const struct step *step);
int op_merge(struct thread *thread, struct region *region, const struct step *step);
int op_unmerge(struct thread *thread, struct region *region, const struct step *step);

/* file.c */
int op_punch(struct thread *thread, struct region *region, const struct step *step);
int op_truncate(struct thread *thread, struct region *region, const struct step *step);
int op_write_back(struct thread *thread, struct region *region, const struct step *step);

/* userfaults.c */
int op_guard(struct thread *thread, struct region *region, const struct step *step);
int op_move_in(struct thread *thread, struct region *region, const struct step *step);

/* device.c */
int op_to_device(struct thread *thread, struct region *region, const struct step *step);
int op_to_system(struct thread *thread, struct region *region, const struct step *step);
int op_exclusive(struct thread *thread, struct region *region, const struct step *step);

/* store.c */
int op_store(struct thread *thread, struct region *region, const struct step *step);

#endif
