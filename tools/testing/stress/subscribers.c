// SPDX-License-Identifier: GPL-2.0
/*
 * Short lives with the test driver: a process registers, gets, inserts, and takes back, at random,
 * while its threads change the memory. Callbacks take their time, some of them a second. Then all
 * is quiet and the accounts must be even; or the process is killed in the middle, or exits with
 * all its subscriptions, which its parent may take back after its death.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change.h"
#include "mnt.h"
#include "stress.h"

#define PAGES 16U
#define THREADS 2
#define COMMANDS 40
/* One slot keeps its subscription for life: it is told of all. */
#define WITNESS 0U
#define LISTED 3U
#define COUNTED 5U
#define SLOTS 10U
#define USERS 3
#define ALL_GATES (MNT_RANGE | MNT_BIT(MNT_INVALIDATE) | MNT_BIT(MNT_INVALIDATE_START) | \
		   MNT_BIT(MNT_INVALIDATE_FINISH))
/* How many milliseconds a callback takes, a slow one, and one that is stuck. */
#define SLOW 20
#define STUCK 1000
#define KILL 200
/* Until the accounts are even; only to end what never will be. */
#define LOOKS 1500
#define LOOK_MS 10

enum { LIVES, REGISTRATIONS, INVALIDATIONS, KILLED, STUCK_ONES, ABSENT };

struct interval {
	unsigned int first, pages;
};

struct life {
	int fd;
	struct random random;
	char *area;
	_Atomic bool quiet;
	/* What the process holds in each slot. */
	unsigned int held[SLOTS];
	struct interval interval[SLOTS];
	uint64_t of_threads[THREADS];
	_Atomic unsigned int threads;
};

static long change_always(void *argument)
{
	struct life *life = argument;
	struct random random = { life->of_threads[life->threads++] };

	while (!life->quiet && !over()) {
		unsigned int first = below(&random, PAGES);
		unsigned int pages = 1 + below(&random, PAGES - first);
		char *start = life->area + first * PAGE;

		/* Pages that the other thread has unmapped do not matter. */
		madvise(start, pages * PAGE, MADV_POPULATE_WRITE);
		if (change(below(&random, CHANGES), start, pages * PAGE))
			count(INVALIDATIONS);
	}
	return 0;
}

static void failed(struct life *life, const char *what, unsigned int slot)
{
	wrong("%s of slot %u, held %u times", what, slot, life->held[slot]);
}

static void listed(struct life *life, unsigned int slot)
{
	unsigned int tlbs = MNT_BIT(MNT_SECONDARY_TLBS) | MNT_BIT(MNT_RELEASE);
	unsigned int flags = one_in(&life->random, 2) ? MNT_LOCKED : 0;

	if (life->held[slot]) {
		if (slot != WITNESS && mnt_unregister(life->fd, slot))
			failed(life, "unregister", slot);
		life->held[slot] = slot == WITNESS;
		return;
	}
	if (again(mnt_register(life->fd, slot,
			       slot % 2 ? tlbs : MNT_RANGE | MNT_BIT(MNT_RELEASE), flags)))
		failed(life, "register", slot);
	life->held[slot] = 1;
	count(REGISTRATIONS);
}

static void counted(struct life *life, unsigned int slot)
{
	if (life->held[slot] < USERS && one_in(&life->random, 2)) {
		if (again(mnt_get(life->fd, slot, MNT_RANGE | MNT_BIT(MNT_RELEASE), NULL)))
			failed(life, "get", slot);
		life->held[slot]++;
		count(REGISTRATIONS);
	} else if (life->held[slot]) {
		if (mnt_put(life->fd, slot))
			failed(life, "put", slot);
		life->held[slot]--;
	}
}

static void insert(struct life *life, unsigned int slot)
{
	struct interval *it = &life->interval[slot];
	unsigned int flags = (one_in(&life->random, 2) ? MNT_TWO_PASS : 0) |
			     (one_in(&life->random, 2) ? MNT_LOCKED : 0);

	it->first = below(&life->random, PAGES);
	it->pages = 1 + below(&life->random, PAGES - it->first);
	if (again(mnt_insert(life->fd, slot, life->area + it->first * PAGE, it->pages * PAGE,
			     flags)))
		failed(life, "insert", slot);
	life->held[slot] = 1;
	count(REGISTRATIONS);
}

/* Whoever reads must hear of what was invalidated after he had begun. */
static void collide(struct life *life, unsigned int slot)
{
	struct interval *it = &life->interval[slot];
	__u64 seq;

	if (mnt_read_begin(life->fd, slot, &seq))
		failed(life, "read_begin", slot);
	if (madvise(life->area + it->first * PAGE, it->pages * PAGE, MADV_DONTNEED))
		return;
	if (mnt_read_retry(life->fd, slot, seq) != 1)
		failed(life, "a reader missed an invalidation", slot);
}

static void of_interval(struct life *life, unsigned int slot)
{
	if (!life->held[slot])
		return insert(life, slot);
	if (one_in(&life->random, 2))
		return collide(life, slot);
	if (mnt_remove(life->fd, slot))
		failed(life, "remove", slot);
	life->held[slot] = 0;
}

/* A callback takes its time: limited, since nobody else may be able to let it go on. */
static void behave(struct life *life)
{
	struct mnt_behave how = { .young = below(&life->random, 1U << MNT_HOOKS) };

	if (one_in(&life->random, 2)) {
		how.gates = ALL_GATES;
		how.limit = 1 + below(&life->random, SLOW);
		if (one_in(&life->random, 32)) {
			how.limit = STUCK;
			count(STUCK_ONES);
		}
	}
	mnt_behave(life->fd, below(&life->random, SLOTS), life->area, PAGES * PAGE, how);
}

static void command(struct life *life)
{
	unsigned int slot = below(&life->random, SLOTS);

	if (one_in(&life->random, 4))
		behave(life);
	if (slot < LISTED)
		listed(life, slot);
	else if (slot < COUNTED)
		counted(life, slot);
	else
		of_interval(life, slot);
}

/* What is still at odds in the accounts of a process that does nothing; NULL if nothing is. */
static const char *odds(struct life *life)
{
	struct mnt_counts counts = mnt_counts(life->fd, WITNESS);
	struct mnt_state state = mnt_state(life->fd, MNT_SLOTS);
	unsigned int on_list = 0, in_tree = 0;

	for (unsigned int slot = 0; slot < SLOTS; slot++)
		*(slot < COUNTED ? &on_list : &in_tree) += !!life->held[slot];
	if (counts.orphans)
		return "an end without a start";
	if (counts.starts != counts.ends || counts.open)
		return "a start without an end";
	if (state.subscriptions != on_list)
		return "the length of the list";
	if (state.active_invalidate_ranges)
		return "a range that is still active";
	if (state.intervals != in_tree || state.deferred)
		return "the number of intervals";
	return NULL;
}

/* The kernel may be at work in this memory by itself, for a while. */
static void check_accounts(struct life *life)
{
	const char *what = odds(life);

	for (unsigned int looks = 0; what && looks < LOOKS; looks++) {
		pause_ms(LOOK_MS);
		what = odds(life);
	}
	errno = 0;
	if (what)
		wrong("not even: %s", what);
}

static void take_all_back(struct life *life)
{
	for (unsigned int slot = 0; slot < LISTED; slot++)
		if (life->held[slot] && mnt_unregister(life->fd, slot))
			failed(life, "last unregister", slot);
	for (unsigned int slot = LISTED; slot < COUNTED; slot++)
		while (life->held[slot]--)
			if (mnt_put(life->fd, slot))
				failed(life, "last put", slot);
	for (unsigned int slot = COUNTED; slot < SLOTS; slot++)
		if (life->held[slot] && mnt_remove(life->fd, slot))
			failed(life, "last remove", slot);
}

static void live(void *argument)
{
	struct life *life = argument;
	struct job threads[THREADS];

	life->area = map_area(PAGES);
	if (!life->area)
		return wrong("no memory");
	listed(life, WITNESS);
	for (unsigned int i = 0; i < THREADS; i++) {
		life->of_threads[i] = next_random(&life->random);
		job_start(&threads[i], change_always, life);
	}
	for (unsigned int i = 0; i < COMMANDS && !over(); i++)
		command(life);
	life->quiet = true;
	/* An exit in the middle of all. */
	if (one_in(&life->random, 4))
		return;
	for (unsigned int i = 0; i < THREADS; i++)
		job_join(&threads[i]);
	check_accounts(life);
	if (one_in(&life->random, 2))
		take_all_back(life);
}

/* What a dead process has left: there may be something in a slot or not. */
static void bury(int fd)
{
	for (unsigned int slot = 0; slot < LISTED; slot++)
		mnt_unregister(fd, slot);
	for (unsigned int slot = COUNTED; slot < SLOTS; slot++)
		mnt_remove(fd, slot);
}

static void turn(unsigned int worker, struct random random)
{
	struct life life = { .fd = mnt_open(), .random.state = next_random(&random) };
	unsigned int kill_after = one_in(&random, 3) ? 1 + below(&random, KILL) : 0;
	bool keep = one_in(&random, 2);
	pid_t child;

	(void)worker;
	if (life.fd < 0) {
		if (!is_absent(errno))
			wrong("no test driver");
		count(ABSENT);
		return pause_ms(1);
	}
	child = child_start(live, &life);
	if (!keep)
		close(life.fd);
	if (life_ends(child, kill_after))
		count(KILLED);
	if (keep) {
		if (one_in(&random, 2))
			bury(life.fd);
		close(life.fd);
	}
	count(LIVES);
}

const struct job_class subscribers = {
	.name = "subscribers",
	.workers = 2,
	.counters = { "lives", "registrations", "invalidations", "killed", "stuck", "absent" },
	.turn = turn,
};
