// SPDX-License-Identifier: GPL-2.0
/*
 * An invalidation is held up in a callback; meanwhile others insert, remove,
 * read, unregister, put, or invalidate something else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helper.h"
#include "scene.h"

/* What one step holds up, and what it has begun meanwhile. */
struct hold {
	struct scene *scene;
	int slot;		/* whose gate is shut */
	bool interval;
	bool at_end;
	struct range range;	/* that is invalidated */
	struct helper *other;
	const char *doing;
	int with;
	__u64 seq;
	int put;		/* slot that waits for its free, or -1 */
};

static long dontneed(void *arg)
{
	struct range *range = arg;

	return madvise(range->start, range->size, MADV_DONTNEED);
}

static long do_remove(void *arg)
{
	struct hold *hold = arg;

	return mnt_remove(hold->scene->session, hold->with);
}

static long do_unregister(void *arg)
{
	struct hold *hold = arg;

	return mnt_unregister(hold->scene->session, hold->with);
}

static long do_read_begin(void *arg)
{
	struct hold *hold = arg;

	return mnt_read_begin(hold->scene->session, hold->with, &hold->seq);
}

/* Has the other thread do something that may have to wait for the end. */
static void meanwhile(struct hold *hold, const char *what, int slot, long (*fn)(void *),
		      const char *where)
{
	if (hold->other->busy || slot < 0)
		return;
	hold->doing = what;
	hold->with = slot;
	helper_do(hold->other, fn, hold);
	say("  %s %d %s", what, slot,
	    helper_blocks(hold->other, where) ? "waits" : "is done");
	if (fn != do_read_begin)
		hold->scene->slots[slot].used = false;
}

/* A huge page that is split for a part of it is invalidated as a whole. */
static bool touches(struct range range, const struct slot *slot)
{
	char *start = (char *)((unsigned long)range.start & -HUGE);
	char *end = (char *)(((unsigned long)range.start + range.size + HUGE - 1) & -HUGE);

	return start < slot->start + slot->size && slot->start < end;
}

static void invalidate_another(struct hold *hold, struct draw *from)
{
	struct range range = any_range(from);

	if (!hold->interval || touches(range, &hold->scene->slots[hold->slot]))
		return;
	say("  dontneed %s = %ld", in_words(range), error_of(dontneed(&range)));
}

static void put(struct hold *hold, struct draw *from)
{
	int slot = pick_slot(hold->scene, from, FIRST_COUNTED, COUNTED, true);
	struct slot *it = &hold->scene->slots[slot];

	if (slot < 0 || hold->put >= 0)
		return;
	say("  put %d = %ld", slot, error_of(mnt_put(hold->scene->session, slot)));
	if (--it->users)
		return;
	it->used = false;
	it->objects++;
	hold->put = slot;
}

static void act(struct hold *hold, struct draw *from)
{
	struct scene *scene = hold->scene;
	int slot;

	/*
	 * Whether the intervals' side has ended when a list is told of the end
	 * is left to the core (Documentation/core.rst), so do not ask.
	 */
	switch (hold->at_end ? 5 + below(from, 2) : below(from, 10)) {
	case 0 ... 2:
		slot = pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, false);
		/* To turn the interval side on would have to wait. */
		if (slot >= 0 && scene->intervals && slot != hold->with)
			insert_interval(scene, from, slot, 0);
		return;
	case 3:
		meanwhile(hold, "remove", pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, true),
			  do_remove, "mnt_remove");
		return;
	case 4:
		meanwhile(hold, "read_begin",
			  pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, true),
			  do_read_begin, "mnt_read_begin");
		return;
	case 5:
		/* Who waits for a list's callback need not wait for an interval's. */
		if (!hold->interval)
			meanwhile(hold, "unregister",
				  pick_slot(scene, from, FIRST_LIST, LISTS, true),
				  do_unregister, "mnt_unregister");
		return;
	case 6:
		put(hold, from);
		return;
	case 7:
		for (slot = FIRST_INTERVAL; slot < SLOTS; slot++)
			if (slot != hold->with)
				read_retry(scene, slot);
		return;
	case 8:
		print_state(scene, hold->slot);
		return;
	case 9:
		invalidate_another(hold, from);
		return;
	}
}

static void let_go(struct hold *hold, struct helper *helper)
{
	struct scene *scene = hold->scene;

	ioctl(scene->session, MNT_OPEN, hold->slot);
	say("  dontneed = %ld", helper_result(helper));
	if (hold->other->busy)
		say("  %s = %ld", hold->doing, helper_result(hold->other));
	if (hold->doing && hold->seq)
		say("  read %llu", hold->seq);
	if (hold->put >= 0 && mnt_wait_entered(scene->session, hold->put, MNT_FREE,
					       scene->slots[hold->put].objects))
		say("  no free");
	mnt_behave(scene->session, hold->slot, (void *)BASE, WINDOW, (struct mnt_behave){});
}

static struct helper helpers[2];

void step_race(struct scene *scene, struct draw *from)
{
	struct hold hold = { .scene = scene, .interval = one_in(from, 2), .with = -1,
			     .other = &helpers[1], .put = -1 };
	unsigned int gates = MNT_BIT(MNT_INVALIDATE) | MNT_BIT(MNT_INVALIDATE_START);

	hold.slot = hold.interval ? pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, true) :
				    pick_slot(scene, from, FIRST_LIST, LISTS, true);
	if (hold.slot < 0)
		return;
	hold.range = any_range(from);
	if (hold.interval) {
		hold.range.start = scene->slots[hold.slot].start;
		hold.range.size = scene->slots[hold.slot].size;
	} else {
		hold.at_end = one_in(from, 3);
		gates = scene->slots[hold.slot].ops &
			MNT_BIT(hold.at_end ? MNT_RANGE_END : MNT_RANGE_START);
	}
	if (!gates)
		return;
	if (!helpers[0].job.tid) {
		helper_start(&helpers[0]);
		helper_start(&helpers[1]);
	}
	mnt_behave(scene->session, hold.slot, (void *)BASE, WINDOW,
		   (struct mnt_behave){ .gates = gates });
	helper_do(&helpers[0], dontneed, &hold.range);
	say("hold %d at %x", hold.slot, gates);
	if (helper_blocks(&helpers[0], "mnt_enter"))
		for (int i = 1 + below(from, 5); i; i--)
			act(&hold, from);
	let_go(&hold, &helpers[0]);
}

void race_over(void)
{
	for (int i = 0; i < 2; i++)
		if (helpers[i].job.tid)
			helper_end(&helpers[i]);
}
