// SPDX-License-Identifier: GPL-2.0
/* What drivers ask of the core. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "scene.h"

#define YOUNG (MNT_BIT(MNT_CLEAR_FLUSH_YOUNG) | MNT_BIT(MNT_CLEAR_YOUNG) | MNT_BIT(MNT_TEST_YOUNG))

/* The two models of a driver are never mixed: the core warns of that. */
static unsigned int some_ops(struct draw *from)
{
	static const unsigned int ops[] = {
		MNT_RANGE,
		MNT_RANGE | MNT_BIT(MNT_RELEASE),
		MNT_RANGE | MNT_BIT(MNT_RELEASE) | YOUNG,
		MNT_BIT(MNT_RANGE_START) | MNT_BIT(MNT_RELEASE),
		MNT_BIT(MNT_RANGE_END),
		MNT_BIT(MNT_SECONDARY_TLBS) | MNT_BIT(MNT_RELEASE),
		MNT_BIT(MNT_SECONDARY_TLBS) | YOUNG,
		MNT_BIT(MNT_RELEASE),
		0,
	};

	return ops[below(from, sizeof(ops) / sizeof(ops[0]))];
}

static void step_register(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_LIST, LISTS, false);
	unsigned int ops = some_ops(from), flags = one_in(from, 3) ? MNT_LOCKED : 0;
	long result;

	if (slot < 0)
		return;
	result = error_of(mnt_register(scene->session, slot, ops, flags));
	say("register %d %x %x = %ld", slot, ops, flags, result);
	scene->slots[slot] = (struct slot){ .used = !result, .ops = ops };
}

static void step_unregister(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_LIST, LISTS, true);

	if (slot < 0)
		return;
	say("unregister %d = %ld", slot, error_of(mnt_unregister(scene->session, slot)));
	scene->slots[slot].used = false;
}

static void step_get(struct scene *scene, struct draw *from)
{
	int slot = FIRST_COUNTED + below(from, COUNTED);
	struct slot *it = &scene->slots[slot];
	unsigned int ops = it->used || it->objects ? it->ops : some_ops(from);
	struct mnt_add out = {};
	long result = error_of(mnt_get(scene->session, slot, ops, &out));

	say("get %d %x = %ld, %u users", slot, ops, result, out.users);
	if (result)
		return;
	it->used = true;
	it->ops = ops;
	it->users = out.users;
}

/* The last put is followed by a free, some time. */
static void step_put(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_COUNTED, COUNTED, true);
	struct slot *it = &scene->slots[slot];

	if (slot < 0)
		return;
	say("put %d = %ld", slot, error_of(mnt_put(scene->session, slot)));
	if (--it->users)
		return;
	it->used = false;
	it->objects++;
	if (mnt_wait_entered(scene->session, slot, MNT_FREE, it->objects))
		say("no free");
}

void insert_interval(struct scene *scene, struct draw *from, int slot, unsigned int flags)
{
	struct range range = any_range(from);
	size_t size = one_in(from, 20) ? 0 : range.size;
	void *start = one_in(from, 40) ? (void *)-PAGE : range.start;
	long result;

	if (one_in(from, 3))
		flags |= MNT_TWO_PASS;
	/* Beyond the end of all memory. */
	if (start != range.start)
		size = 2 * PAGE;
	result = error_of(mnt_insert(scene->session, slot, start, size, flags));
	say("insert %d %s %x = %ld", slot,
	    start == range.start ? in_words(range) : "beyond", flags, result);
	/* Also one that fails turns the interval side on. */
	scene->intervals = true;
	scene->slots[slot] = (struct slot){
		.used = !result, .start = start, .size = size,
	};
}

static void step_insert(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, false);
	unsigned int flags = one_in(from, 3) ? MNT_LOCKED : 0;

	if (slot >= 0)
		insert_interval(scene, from, slot, flags);
}

static void step_remove(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, true);

	if (slot < 0)
		return;
	say("remove %d = %ld", slot, error_of(mnt_remove(scene->session, slot)));
	scene->slots[slot].used = false;
}

static void step_read_begin(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, FIRST_INTERVAL, INTERVALS, true);
	struct slot *it = &scene->slots[slot];

	if (slot < 0)
		return;
	mnt_read_begin(scene->session, slot, &it->seq);
	it->read = true;
	say("read_begin %d = %llu", slot, it->seq);
}

void read_retry(struct scene *scene, int slot)
{
	struct slot *it = &scene->slots[slot];

	if (it->used && it->read)
		say("read_retry %d = %d", slot, mnt_read_retry(scene->session, slot, it->seq));
}

static void step_read_retry(struct scene *scene, struct draw *from)
{
	(void)from;
	for (int slot = FIRST_INTERVAL; slot < SLOTS; slot++)
		read_retry(scene, slot);
}

void print_state(struct scene *scene, int slot)
{
	struct mnt_state state = mnt_state(scene->session, slot);

	say("state %d: present %u itree %u list %u intervals %u deferred %u seq %llu "
	    "active %llu own %llu users %u", slot, state.present, state.has_itree,
	    state.subscriptions, state.intervals, state.deferred, state.invalidate_seq,
	    state.active_invalidate_ranges, state.sub_seq, state.users);
}

static void step_state(struct scene *scene, struct draw *from)
{
	int slot = pick_slot(scene, from, 0, SLOTS, true);

	print_state(scene, slot < 0 ? MNT_SLOTS : slot);
}

/* How the callbacks answer from now on. */
static void step_behave(struct scene *scene, struct draw *from)
{
	int slot = below(from, SLOTS);
	struct mnt_behave behave = {
		.young = draw(from) & YOUNG,
		.flags = (one_in(from, 2) ? MNT_NO_FINISH : 0) |
			 (slot < FIRST_COUNTED || slot >= FIRST_INTERVAL || one_in(from, 2) ? 0 :
			  MNT_FAIL_ALLOC),
	};

	mnt_behave(scene->session, slot, (void *)BASE, WINDOW, behave);
	say("behave %d %x young %x", slot, behave.flags, behave.young);
}

const struct step notifier_steps[] = {
	{ step_register, 8 },
	{ step_unregister, 3 },
	{ step_get, 5 },
	{ step_put, 3 },
	{ step_insert, 14 },
	{ step_remove, 5 },
	{ step_read_begin, 5 },
	{ step_read_retry, 4 },
	{ step_state, 3 },
	{ step_behave, 4 },
	{ NULL, 0 },
};
