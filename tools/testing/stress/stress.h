/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A job of the stress: workers, processes of their own, that each take one turn after the other
 * until SIGTERM, and count what they did.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "random.h"

#define COUNTERS 8

struct job_class {
	const char *name;
	unsigned int workers;
	const char *counters[COUNTERS];
	/* Once for each worker, before its first turn and after its last. May be NULL. */
	void (*begin)(unsigned int worker);
	void (*turn)(unsigned int worker, struct random random);
	void (*end)(unsigned int worker);
};

extern const struct job_class subscribers, users, victims, modules, hotplug, knobs;

/* Runs a command while devices are open: "DEVICE... -- COMMAND...". */
int hold(char **words);

/* What stands behind the options on the command line. */
extern char **arguments;
extern unsigned int argument_count;

void count(unsigned int counter);
void count_many(unsigned int counter, unsigned long number);

/* Something is wrong: says what, and in which turn, and ends the job with it. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The job is over; a turn need not be finished in any special way. */
bool over(void);

/*
 * A call that a signal may end: livepatch sends one to every task that it waits for, and whoever
 * waits for the locks of an mm then gives up.
 */
#define again(call) ({					\
	long _result;					\
							\
	do						\
		_result = (call);			\
	while (_result == -1 && errno == EINTR);	\
	_result;					\
})

/* Whether a call failed only because no module with that device is loaded. */
bool is_absent(int error);

void pause_ms(unsigned int milliseconds);

/*
 * Waits for the child of a turn, which is killed after some milliseconds unless they are 0. Returns
 * whether that ended it; another end than a good one is wrong.
 */
bool life_ends(pid_t child, unsigned int kill_after);

#endif
