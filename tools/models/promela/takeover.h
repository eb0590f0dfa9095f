/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From C to Rust and back to C, and the module goes: with UNREGISTER or PUT.
 * One task reads, another detaches the subscription, each in whichever core
 * livepatch has it in.
 *
 * What is pending is one subscription, so that whether a reader was there at
 * the pass that took it is one bit for each slot; the same for the stand-in.
 */
#define SECTIONS	2
#define READER		0	/* a task, and its section */
#define DRIVER		1
#define STAND_IN	1	/* a section */
#define MM		1

#include "domain.h"

#if SLOTS == 1
#define HAS_READER(not_for)	(seen_key[0] == MM && !not_for[0])
#else
#define HAS_READER(not_for)	((seen_key[0] == MM && !not_for[0]) || \
				 (seen_key[1] == MM && !not_for[1]))
#endif

bool in_rust[2], inside[2];	/* by task: where it is to go, and whether it is in */
bool native;
bool module = true, text = true;

bool linked = true;
bool freed;

bool queued, is_pending;
bool called, called_in_rust;	/* call_srcu() */
bool requested, standing_in;
bool synchronized_in_c;
bool monitor_ends;

active proctype reader()
{
	byte slot;
	bool rust, global;

	atomic { inside[READER] = true; rust = in_rust[READER] };
	global = true;
	if
	:: rust ->
#ifdef MODE_BEFORE_SLOT
		global = !native;
		claim(MM, slot)
#else
		claim(MM, slot);
		global = !native
#endif
	:: else
	fi;
	if
	:: global -> srcu_enter(READER)
	:: else
	fi;
	if
	:: linked -> assert(!freed); assert(!freed)	/* a callback begins, and ends */
	:: else
	fi;
	if
	:: global -> srcu_leave(READER)
	:: else
	fi;
	if
	:: rust -> give_back(slot); assert(module)
	:: else
	fi;
	d_step { slot = 0; rust = false; global = false; inside[READER] = false }
}

active proctype driver()
{
	byte slot, k, t;
	bool rust;
	SRCU_WAITER;

#ifdef UNREGISTER
	atomic { inside[DRIVER] = true; rust = in_rust[DRIVER] };
	linked = false;
	if
	:: rust -> wait_for_slots(MM, slot, k, t)
	:: else
	fi;
#ifdef SLOTS_ALONE
	if
	:: !rust -> srcu_synchronize()
	:: else
	fi;
#else
	if
	:: !rust || !native -> srcu_synchronize()
	:: else
	fi;
#endif
	freed = true;
	d_step { assert(!rust || module); inside[DRIVER] = false; rust = false };
#endif
#ifdef PUT
	atomic { inside[DRIVER] = true; rust = in_rust[DRIVER] };
	linked = false;
	if
	:: rust ->
		claim(MM, slot);
		if
		:: native -> queued = true
		:: else -> d_step { called = true; called_in_rust = true }
		fi;
		give_back(slot)
	:: else -> called = true
	fi;
	d_step { assert(!rust || module); slot = 0; inside[DRIVER] = false; rust = false };

	/* synchronize() */
	atomic { inside[DRIVER] = true; rust = in_rust[DRIVER] };
	if
	:: rust ->
		!queued && !is_pending;
		if
		:: !native -> srcu_synchronize()
		:: else
		fi;
		!called
	:: else ->
		/* C's own gap: what SRCU is to call may still be to come. */
		synchronized_in_c = true;
		srcu_synchronize()
	fi;
	text = false;
	d_step { assert(!rust || module); inside[DRIVER] = false; rust = false };
#endif
	skip
}

/* SRCU's callbacks. */
active proctype srcu()
{
	SRCU_WAITER;

	do
	:: called ->
		srcu_synchronize();
		assert(!called_in_rust || module);
		assert(text || synchronized_in_c);
		freed = true;
		called = false
	:: !module -> break
	od
}

inline change_over(to)
{
	do
	:: atomic { in_rust[READER] != to && !inside[READER] -> in_rust[READER] = to }
	:: atomic { in_rust[DRIVER] != to && !inside[DRIVER] -> in_rust[DRIVER] = to }
	:: in_rust[READER] == to && in_rust[DRIVER] == to -> break
	od
}

active proctype livepatch()
{
#ifdef NATIVE_TOO_EARLY
	native = true;
#endif
	change_over(true);
	native = true;	/* mmn_go_native() */

	/* mmn_go_compatible() */
#ifdef LATE_STAND_IN
	native = false;
	change_over(false);
	srcu_enter(STAND_IN);
	requested = true;
#else
#ifndef NO_STAND_IN
	srcu_enter(STAND_IN);
#endif
	native = false;
#ifndef NO_STAND_IN
	requested = true;
#endif
	change_over(false);
#endif

	/* rmmod */
#ifndef NO_SRCU_BARRIER
	!called || !called_in_rust;
#endif
	!queued && !is_pending;
	!requested && !standing_in;
	monitor_ends = true
}

/* To load key and turn one after the other is the matter of slots.pml. */
inline look(at)
{
	d_step {
		if
		:: key[at] != seen_key[at] || (key[at] != 0 && turn[at] != seen_turn[at]) ->
			seen_key[at] = key[at];
			seen_turn[at] = (key[at] != 0 -> turn[at] : 0);
			not_for_pending[at] = key[at] != 0 && old_pending;
			not_for_stand_in[at] = key[at] != 0 && old_stand_in
		:: else
		fi;
		not_for_pending[at] = not_for_pending[at] && old_pending;
		not_for_stand_in[at] = not_for_stand_in[at] && old_stand_in
	}
}

active proctype monitor()
{
	byte seen_key[SLOTS], seen_turn[SLOTS];
	bool not_for_pending[SLOTS], not_for_stand_in[SLOTS];
	bool old_pending, old_stand_in, has_reader, gone;

	do
	:: monitor_ends -> break
	:: !monitor_ends && (queued || is_pending || requested || standing_in) ->
		atomic {
			old_pending = is_pending;
			old_stand_in = standing_in;
			if
			:: queued -> queued = false; is_pending = true
			:: else
			fi
		};
		atomic {
			if
			:: requested -> standing_in = true; requested = false
			:: else
			fi
		};
		look(0);
#if SLOTS == 2
		look(1);
#endif
		atomic {
			has_reader = HAS_READER(not_for_pending);
			if
			:: is_pending && !has_reader ->
				assert(text);
				freed = true;
				is_pending = false
			:: else
			fi
		};
		has_reader = HAS_READER(not_for_stand_in);
		if
		:: standing_in && !gone && !has_reader ->
			gone = true;
#ifdef EARLY_LEAVE
			srcu_leave(STAND_IN);
			standing_in = false
#endif
#ifdef SAME_PASS
			if
			:: !is_pending -> srcu_leave(STAND_IN); standing_in = false
			:: else
			fi
#endif
		:: standing_in && gone && !is_pending ->
			srcu_leave(STAND_IN);
			standing_in = false
		:: else
		fi;
		d_step { has_reader = false; old_pending = false; old_stand_in = false }
	od;
	assert(!called_in_rust || !called);
	assert(key[0] == 0 && key[SLOTS - 1] == 0);
	module = false
}
