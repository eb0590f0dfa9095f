// SPDX-License-Identifier: GPL-2.0
/*
 * Short lives with the sample drivers, which come and go meanwhile: a process opens one, changes
 * its memory, sees after each change that the driver sees what it sees itself, and exits, with the
 * driver closed or open, or is killed in the middle.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emm.h"
#include "change.h"
#include "cpu.h"
#include "mnt.h"
#include "secondaries.h"
#include "shared.h"
#include "stress.h"

#define PAGES 16U
#define ROUNDS 12
/* Not one of the secondaries: it has no translations. */
#define EMM SECONDARIES
/* Milliseconds after which some are killed. */
#define KILL 60

enum { LIVES, READS, KILLED, ABSENT };

/* What the torture's secondaries share with it; here only which are left out: none. */
static struct shared of_secondaries;
struct shared *shared = &of_secondaries;

struct life {
	struct random random;
	unsigned int which;
};

static bool is_busy(int result)
{
	return result == -EBUSY || result == -EAGAIN || result == -EINTR || result == -ENOMEM;
}

static uint64_t word_at(const char *address)
{
	return *(volatile const uint64_t *)address;
}

/* The same word, by whichever way it is read; one that is busy is asked again in another round. */
static void compare(struct secondary *secondary, char *address, struct bounce *bounce)
{
	uint64_t seen = 0, is = word_at(address);
	int result;

	if (secondary->class->peek) {
		result = secondary->class->peek(secondary, address, &seen, bounce);
		if (!result && seen != is)
			wrong("stale: %s holds %#lx, and there is %#lx", secondary->class->name,
			      seen, is);
	}
	result = secondary->class->read(secondary, address, &seen, bounce);
	errno = -result;
	if (!result && seen != is)
		wrong("stale: %s reads %#lx, and there is %#lx", secondary->class->name, seen, is);
	else if (result && !is_busy(result))
		wrong("%s cannot read", secondary->class->name);
	else if (!result)
		count(READS);
}

static void round_with(struct secondary *secondary, struct random *random, struct bounce *bounce)
{
	unsigned int first = below(random, PAGES), pages = 1 + below(random, PAGES - first);
	char *start = secondary->arena + first * PAGE;
	enum change what = below(random, CHANGES);

	*(volatile uint64_t *)start = next_random(random);
	compare(secondary, start, bounce);
	if (!change(what, start, pages * PAGE))
		wrong("no change %d", what);
	if (empties(what) && word_at(start))
		wrong("what was taken away is still there");
	if (one_in(random, 2))
		*(volatile uint64_t *)start = next_random(random);
	compare(secondary, start, bounce);
}

static void absent(void)
{
	count(ABSENT);
	_exit(0);
}

static void live_with_secondary(struct life *life)
{
	struct bounce *bounce = mmap(NULL, sizeof(*bounce), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct secondary secondary = {
		.class = secondary_classes[life->which], .fd = -1, .arena = map_area(PAGES),
	};
	int error;

	if (bounce == MAP_FAILED || !secondary.arena)
		return wrong("no memory");
	cpu_prepare();
	while ((error = -secondary.class->open(&secondary, PAGES * PAGE)) == EINTR)
		secondary_close(&secondary);
	if (is_absent(error))
		absent();
	errno = error;
	if (error)
		return wrong("no %s", secondary.class->name);
	for (unsigned int i = 0; i < ROUNDS && !over(); i++)
		round_with(&secondary, &life->random, bounce);
	/* XPMEM's partner dies with this process in any case. */
	if (one_in(&life->random, 2))
		secondary_close(&secondary);
}

/* EMM has no translations, and keeps account of starts and ends. */
static void live_with_emm(struct life *life)
{
	char *area = map_area(PAGES);
	struct emm_watch watch = { (uintptr_t)area, (uintptr_t)area + PAGES * PAGE };
	struct emm_counts counts;
	int fd = again(open("/dev/emm", O_RDWR | O_CLOEXEC));

	if (fd < 0 && is_absent(errno))
		absent();
	if (!area || fd < 0 || ioctl(fd, EMM_WATCH, &watch))
		return wrong("no EMM");
	for (unsigned int i = 0; i < ROUNDS && !over(); i++)
		if (!change(below(&life->random, CHANGES), area, PAGES * PAGE))
			wrong("no change");
	madvise(area, PAGE, MADV_DONTNEED);
	if (ioctl(fd, EMM_COUNTS, &counts))
		return wrong("no counts");
	if (counts.unpaired || !counts.calls[EMM_INVALIDATE_START] ||
	    !counts.calls[EMM_INVALIDATE_END])
		wrong("%llu starts, %llu ends, %llu of them unpaired",
		      counts.calls[EMM_INVALIDATE_START], counts.calls[EMM_INVALIDATE_END],
		      counts.unpaired);
	if (one_in(&life->random, 2))
		close(fd);
}

static void live(void *argument)
{
	struct life *life = argument;

	if (life->which == EMM)
		live_with_emm(life);
	else
		live_with_secondary(life);
}

static void turn(unsigned int worker, struct random random)
{
	struct life life = { .which = below(&random, EMM + 1) };
	unsigned int kill_after = one_in(&random, 4) ? 1 + below(&random, KILL) : 0;
	pid_t child;

	(void)worker;
	life.random.state = next_random(&random);
	child = child_start(live, &life);
	if (life_ends(child, kill_after))
		count(KILLED);
	count(LIVES);
}

const struct job_class users = {
	.name = "users",
	.workers = 2,
	.counters = { "lives", "reads", "killed", "absent" },
	.turn = turn,
};
