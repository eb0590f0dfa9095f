// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a dying child is reaped as the OOM killer does it, in ranges
 * that are not blockable, and callbacks refuse. The child has a session of its
 * own, in which it is held while it dies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lines.h"
#include "scene.h"

/*
 * Where the list refuses what the intervals have agreed to, C leaves the range
 * open for ever (Documentation/findings.rst): a victim has a list that refuses
 * or intervals, not both.
 */
struct victim {
	int session;
	unsigned int lists;
	unsigned int intervals;
	int refuses;		/* slot, or -1 */
	struct range ranges[6];
	unsigned int flags[6];
};

static void live(const struct victim *victim, int ready)
{
	for (unsigned int slot = 0; slot < victim->lists; slot++)
		/* What refuses a start has no end. */
		mnt_register(victim->session, slot,
			     (int)slot == victim->refuses ? MNT_BIT(MNT_RANGE_START) :
			     MNT_RANGE | MNT_BIT(MNT_RELEASE), 0);
	for (unsigned int i = 0; i < victim->intervals; i++)
		mnt_insert(victim->session, victim->lists + i, victim->ranges[i].start,
			   victim->ranges[i].size, victim->flags[i]);
	if (write(ready, "", 1) == 1)
		ioctl(victim->session, MNT_HOLD, 0);
	_exit(0);
}

static void plan(struct victim *victim, struct draw *from)
{
	victim->lists = below(from, 4);
	if (one_in(from, 2)) {
		victim->intervals = 1 + below(from, 6);
		for (unsigned int i = 0; i < victim->intervals; i++) {
			victim->ranges[i] = any_range(from);
			victim->flags[i] = one_in(from, 2) ? MNT_TWO_PASS : 0;
		}
		victim->refuses = victim->lists + below(from, victim->intervals);
	} else {
		victim->lists++;
		victim->refuses = below(from, victim->lists);
	}
	if (one_in(from, 4))
		victim->refuses = -1;
}

static void behave(const struct victim *victim, struct draw *from)
{
	unsigned int slots = victim->lists + victim->intervals;

	for (unsigned int slot = 0; slot < slots; slot++) {
		struct mnt_behave it = {
			.flags = one_in(from, 3) ? MNT_FINISH_AND_FAIL : 0,
		};

		if ((int)slot == victim->refuses)
			it.eagain = MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_INVALIDATE) |
				    MNT_BIT(MNT_INVALIDATE_START);
		mnt_behave(victim->session, slot, (void *)BASE, WINDOW, it);
	}
}

static void reap(pid_t child, const char *what)
{
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);

	say("  process_mrelease %s = %ld", what,
	    error_of(syscall(SYS_process_mrelease, pidfd, 0)));
	close(pidfd);
}

void step_victim(struct scene *scene, struct draw *from)
{
	struct victim victim = { .session = mnt_open() };
	int ready[2];
	pid_t child;
	char c;

	(void)scene;
	plan(&victim, from);
	behave(&victim, from);
	say("victim of %u lists, %u intervals, %d refuses", victim.lists, victim.intervals,
	    victim.refuses);
	if (victim.session < 0 || pipe(ready))
		return;
	fflush(stdout);
	child = fork();
	if (!child)
		live(&victim, ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1 || !child_blocks(child, "mnt_"))
		say("  the victim is gone");
	close(ready[0]);
	kill(child, SIGKILL);
	reap(child, "once");
	if (victim.refuses >= 0) {
		mnt_behave(victim.session, victim.refuses, (void *)BASE, WINDOW,
			   (struct mnt_behave){});
		reap(child, "again");
	}
	if (victim.lists + victim.intervals)
		say("  active %llu seq %llu", mnt_state(victim.session, 0).active_invalidate_ranges,
		    mnt_state(victim.session, 0).invalidate_seq);
	ioctl(victim.session, MNT_LET_GO, 0);
	say("  ended by %d", child_wait(child));
	printf("session 1\n");
	lines_print(victim.session);
	printf("session 0\n");
	close(victim.session);
}
