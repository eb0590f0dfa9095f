/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs share: the driver's commands as functions, threads
 * that are seen to block, memory whose neighbours stay out of the way, and
 * the record as a line of text that a test compares with what it expects.
 *
 * While a callback waits at a shut gate its caller may hold the mm's or the
 * VMA's lock, so a test starts its threads (which map stacks) before it shuts
 * one in, or stops only callers that hold the lock of the test's own VMA.
 */
#ifndef MNT_H
#define MNT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "driver/mmu_notifier_test_uapi.h"

#define PAGE		4096UL
#define MNT_TRACE	16384

#define MNT_RANGE	(MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_RANGE_END))

/* Commands; like the system call they return -1 and set errno. */
int mnt_open(void);
int mnt_register(int fd, unsigned int slot, unsigned int ops, unsigned int flags);
int mnt_unregister(int fd, unsigned int slot);
int mnt_get(int fd, unsigned int slot, unsigned int ops, struct mnt_add *out);
int mnt_put(int fd, unsigned int slot);
int mnt_insert(int fd, unsigned int slot, const void *start, size_t length,
	       unsigned int flags);
int mnt_remove(int fd, unsigned int slot);
int mnt_read_begin(int fd, unsigned int slot, __u64 *seq);
int mnt_read_retry(int fd, unsigned int slot, __u64 seq);
struct mnt_state mnt_state(int fd, unsigned int slot);
struct mnt_counts mnt_counts(int fd, unsigned int slot);
/* How often a callback came, for the memory the slot heeds. */
__u64 mnt_seen(int fd, unsigned int slot, unsigned int hook);

/* Sleeps until the callback has been entered so often. */
int mnt_wait_entered(int fd, unsigned int slot, unsigned int hook, __u64 count);

/*
 * A slot heeds only callbacks for this memory; further behaviour goes in the
 * other members first. Callbacks without a range (release, free) always count.
 */
void mnt_behave(int fd, unsigned int slot, const void *start, size_t length,
		struct mnt_behave behave);

/*
 * The record since the last call, one word for an event, as in
 * "2.start 1.start~! 2.end" (slot.hook; ~ not blockable, ! refused, < left its
 * gate). With a base, ranges follow in pages: "0.start[2,3)clear".
 * The text is overwritten by the next call.
 */
const char *mnt_trace(int fd);
const char *mnt_trace_ranges(int fd, const void *base);
/* The record since the last call, itself; at most MNT_EVENTS_MAX. */
size_t mnt_events(int fd, const struct mnt_event **events);

/* Memory that no other VMA merges with, its pages written once. */
void *area_map(size_t pages);
void *area_map_file(int file, size_t pages);
void area_unmap(void *area, size_t pages);
int memory_file(size_t pages, unsigned int flags);

/* A thread that does one thing. */
struct job {
	pthread_t thread;
	long (*fn)(void *arg);
	void *arg;
	long ret;
	int error;
	_Atomic pid_t tid;
	_Atomic bool done;
};

void job_start(struct job *job, long (*fn)(void *arg), void *arg);
/*
 * Returns true once the job sleeps inside of a kernel function whose name
 * contains @where, false once it is done: no third way, no timeout.
 */
bool job_blocks(struct job *job, const char *where);
/* The same for the first thread of a child. */
bool child_blocks(pid_t child, const char *where);
long job_join(struct job *job);
/*
 * Sleeps until the job is done, and returns true; false if it makes no step
 * for very long. @steps, if there, counts them.
 */
bool job_goes_on(struct job *job, _Atomic unsigned int *steps);

/* What waits for a grace period and no longer has its time to return. */
void grace_periods(void);

/* Things for a job to do. */
struct command {
	int fd;
	unsigned long cmd;
	void *arg;
};
long run_command(void *command);

struct advice {
	void *start;
	size_t length;
	int advice;
};
long run_madvise(void *advice);

/* A child that ends with its parent, holding nothing but the parent's files. */
pid_t child_start(void (*fn)(void *arg), void *arg);
/* Its exit status, or minus the signal that ended it. */
int child_wait(pid_t child);

/* Which core this task runs in, by the word of its livepatch interface. */
bool c_serves(void);
/*
 * Whether a test takes what C does wrong for what is to be expected: while C
 * serves, unless MNT_STRICT is in the environment (Documentation/findings.rst).
 */
bool c_may_err(void);
/* Whether it is Rust for all tasks, in native mode. */
bool rust_serves_alone(void);

/* A line of its own in the log, for measured values. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes a file in one go; returns 0, or -1 with errno. */
int write_file(const char *path, const char *text);

#endif
