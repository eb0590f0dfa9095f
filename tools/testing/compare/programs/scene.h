/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a random program works on: areas of memory that always lie at the same
 * addresses, a session of the test driver, and its slots. A program changes
 * protection and contents of its areas, and moves pages out of them, but each
 * area stays mapped: so every step can be done at any time.
 */
#ifndef COMPARE_SCENE_H
#define COMPARE_SCENE_H

#include <stddef.h>
#include <sys/types.h>

#include "draw.h"
#include "mnt.h"

#define BASE	0x100000000000UL
#define WINDOW	(64UL << 20)
#define HUGE	(512 * PAGE)

enum area { SMALL, SHARED, PRIVATE_FILE, HUGE_PAGES, AREAS };

/* Slots by use: lists, counted ones, intervals; those of a victim are its own session's. */
enum { LISTS = 5, COUNTED = 3, INTERVALS = 12 };
enum { FIRST_LIST = 0, FIRST_COUNTED = LISTS, FIRST_INTERVAL = LISTS + COUNTED,
       SLOTS = FIRST_INTERVAL + INTERVALS };

struct slot {
	bool used;
	unsigned int ops;
	unsigned int users;	/* of a counted one */
	unsigned int objects;	/* freed so far */
	char *start;		/* of an interval */
	size_t size;
	bool read;		/* `seq` is what a reader began with */
	__u64 seq;
};

struct scene {
	int session;
	int file;		/* behind SHARED and PRIVATE_FILE */
	int zero;
	int scratch;
	pid_t child;		/* that shares pages, or 0 */
	int child_ends;
	bool intervals;		/* the mm has its interval side */
	struct slot slots[SLOTS];
};

struct range {
	enum area area;
	char *start;
	size_t size;
};

/* Where the areas lie, and room to move pages to. */
char *area_start(enum area area);
size_t area_size(enum area area);
#define SPARE	((char *)BASE + (32UL << 20))

/* Maps the area anew; its pages are gone. */
void area_renew(struct scene *scene, enum area area);

void scene_open(struct scene *scene, int session);

/* A few pages of one of the areas, or of this one. */
struct range any_range(struct draw *from);
struct range range_of(struct draw *from, enum area area);

/*
 * A line on the step, of the form "name arguments = result"; a system call
 * that has failed is printed by its errno. A range is printed by area and page.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
long error_of(long result);
const char *in_words(struct range range);

/* Steps; each prints what it does. */
typedef void step_fn(struct scene *scene, struct draw *from);

struct step {
	step_fn *run;
	unsigned int weight;
};

extern const struct step memory_steps[];
extern const struct step notifier_steps[];
void step_race(struct scene *scene, struct draw *from);
/* Ends the threads of step_race(), or any of them might be the last to exit. */
void race_over(void);
void step_victim(struct scene *scene, struct draw *from);

/* One of the slots in [first, first + count) that is (not) in use; -1 if none. */
int pick_slot(struct scene *scene, struct draw *from, int first, int count, bool used);

/* Inserts an interval and prints it; also while a range is being invalidated. */
void insert_interval(struct scene *scene, struct draw *from, int slot, unsigned int flags);
void print_state(struct scene *scene, int slot);
void read_retry(struct scene *scene, int slot);

#endif
