/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes whose callbacks get stuck at the driver's gate, and their fixture: a session for them,
 * one for the others (whose events wake none of the stuck), and an area with a page for each.
 */
#ifndef MNT_ISOLATION_H
#define MNT_ISOLATION_H

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

/* More than a core with a few fast places for each processor of the guest has places. */
#define MANY		40

#define STUCK(n)	(n)		/* the subscription whose callback gets stuck */
#define QUIET(n)	(MANY + (n))	/* another one of the same mm */

/* Seconds, only to end what hangs. */
#define LIMIT		280

FIXTURE(notifier) {
	int fd;
	int others;
	char *area;
};

FIXTURE_SETUP(notifier)
{
	self->fd = mnt_open();
	self->others = mnt_open();
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/mmu_notifier_test: load the module");
	ASSERT_LE(0, self->others);
	self->area = area_map(MANY);
}

FIXTURE_TEARDOWN(notifier)
{
	ioctl(self->fd, MNT_OPEN_ALL, 0);
	close(self->fd);
	close(self->others);
	area_unmap(self->area, MANY);
}

/*
 * A child with a subscription and a page for each of its threads. A thread that is told the number
 * of a page changes its mapping, and is stuck in the callback.
 */
struct process {
	int fd;
	char *area;
	unsigned int first;	/* of its numbers */
	unsigned int count;
	bool intervals;		/* subscribes by interval, and has no quiet subscriptions */
	bool counted;		/* has its odd quiet subscriptions by get */
	int go[2], ready[2];
	__u64 times[MANY];
};

static inline long run_walks(void *arg)
{
	struct process *it = arg;
	unsigned char n;

	while (read(it->go[0], &n, 1) == 1)
		if (madvise(it->area + n * PAGE, PAGE, MADV_DONTNEED))
			_exit(2);
	return 0;
}

static inline int subscribe(struct process *it, unsigned int n)
{
	const unsigned int ops = MNT_RANGE | MNT_BIT(MNT_RELEASE);

	if (it->intervals)
		return mnt_insert(it->fd, STUCK(n), it->area + n * PAGE, PAGE, 0);
	if (mnt_register(it->fd, STUCK(n), MNT_RANGE, 0))
		return -1;
	if (it->counted && n % 2)
		return mnt_get(it->fd, QUIET(n), ops, NULL);
	return mnt_register(it->fd, QUIET(n), ops, 0);
}

static inline void live(void *arg)
{
	struct process *it = arg;
	struct job threads[MANY];

	for (unsigned int n = it->first; n < it->first + it->count; n++)
		if (subscribe(it, n))
			_exit(1);
	for (unsigned int i = 0; i < it->count; i++)
		job_start(&threads[i], run_walks, it);
	if (write(it->ready[1], "", 1) != 1)
		_exit(1);
	job_join(&threads[0]);
}

/* Returns once the process has subscribed. */
static inline void process_start(struct __test_metadata *_metadata, struct process *it)
{
	char c;

	for (unsigned int n = it->first; n < it->first + it->count; n++) {
		mnt_behave(it->fd, STUCK(n), it->area + n * PAGE, PAGE, (struct mnt_behave){});
		mnt_behave(it->fd, QUIET(n), NULL, 1, (struct mnt_behave){});
	}
	ASSERT_EQ(0, pipe(it->go));
	ASSERT_EQ(0, pipe(it->ready));
	child_start(live, it);
	close(it->ready[1]);
	ASSERT_EQ(1, read(it->ready[0], &c, 1)) TH_LOG("a process could not subscribe");
	close(it->ready[0]);
}

/* Returns once a thread is stuck in the callback. */
static inline void stick(struct __test_metadata *_metadata, struct process *it, unsigned int n)
{
	const unsigned int hook = it->intervals ? MNT_INVALIDATE : MNT_RANGE_START;
	unsigned char number = n;

	mnt_behave(it->fd, STUCK(n), it->area + n * PAGE, PAGE,
		   (struct mnt_behave){ .gates = MNT_BIT(hook) });
	ASSERT_EQ(1, write(it->go[1], &number, 1));
	ASSERT_DONE(mnt_wait_entered(it->fd, STUCK(n), hook, ++it->times[n]));
}

/* Returns once the range that began with the stuck callback has ended. */
static inline void let_go(struct __test_metadata *_metadata, struct process *it, unsigned int n)
{
	ASSERT_DONE(ioctl(it->fd, MNT_OPEN, STUCK(n)));
	ASSERT_DONE(mnt_wait_entered(it->fd, STUCK(n), MNT_RANGE_END, it->times[n]));
}

struct stuck {
	struct process processes[MANY];
	unsigned int nr_processes;
};

static inline void start_processes(struct __test_metadata *_metadata,
				   struct _test_data_notifier *self, struct stuck *stuck,
				   unsigned int processes, unsigned int threads)
{
	*stuck = (struct stuck){ .nr_processes = processes };
	for (unsigned int i = 0; i < processes; i++) {
		stuck->processes[i] = (struct process){
			.fd = self->fd, .area = self->area, .first = i * threads, .count = threads,
		};
		process_start(_metadata, &stuck->processes[i]);
	}
}

#define FOR_EACH_NUMBER(it, n, stuck)							\
	for (struct process *it = (stuck)->processes;					\
	     it < (stuck)->processes + (stuck)->nr_processes; it++)			\
		for (unsigned int n = it->first; n < it->first + it->count; n++)

struct on_slot {
	int fd;
	unsigned int slot;
};

static inline long run_unregister(void *arg)
{
	struct on_slot *it = arg;

	return mnt_unregister(it->fd, it->slot);
}

#endif
