/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: slots.rs: claim first another drop occupant
 * Code: domain.rs: read read_another_way leave_global is_crowded
 * Code: registration.rs: put synchronize
 * Code: pending.rs: free_later take_new free_ready free
 * Code: monitor.rs: pass look has_reader barrier exit
 * Broken: NO_CROWD: safety
 * Broken: LOOK_BEFORE_TAKE: safety
 * Broken: KEY_BEFORE_TURN: safety
 * Broken: FREE_ANY: safety
 * Broken: BARRIER_THIS_PASS: safety
 *
 * Put against readers of the same list, in native mode, and the monitor that
 * frees what was put. No reader has what has been freed. The driver then
 * waits for the monitor and goes (`text`): nothing of it is called afterwards.
 */
#define SLOTS		1
#define READERS		2
#define SECTIONS	READERS
#define ROUNDS		2
#define LAST		1

#include "domain.h"
#include "reader.h"

bool queued;		/* what mmn_pending_take_all() takes */
bool text = true;

/*
 * Numbers of passes. At most two begin before the driver has its target, and
 * after a few more their numbers mean nothing to anybody.
 */
byte begun, settled, target;
#define LAST_NUMBER	4

active proctype driver()
{
	linked[0] = false;	/* put() */
	queued = true;
#ifdef BARRIER_THIS_PASS
	target = begun;
#else
	target = begun + 1;
#endif
	settled >= target;	/* barrier() */
	assert(freed[0]);
	text = false
}

active proctype monitor()
{
	byte k, t;
	byte seen_key, seen_turn;
	bool is_crowded, is_pending, since_later;
	byte stamp;

	do
	:: !text -> break
	:: text && (begun < 2 || target > 0) ->
		begun = (begun < LAST_NUMBER -> begun + 1 : begun);
#ifdef LOOK_BEFORE_TAKE
		occupant(0, k, t);
		is_crowded = crowded > 0;
#endif
		atomic {
			since_later = is_pending;
			if
			:: queued ->
				queued = false;
				is_pending = true;
				stamp = begun
			:: else
			fi
		};
		/* seen_key stays 0 for who was not there at the pass that took. */
#ifndef LOOK_BEFORE_TAKE
		k = key[0];
#endif
		d_step {
#ifndef LOOK_BEFORE_TAKE
			t = turn[0];
#endif
			if
			:: k == 0 -> seen_key = 0; seen_turn = 0
			:: k != 0 && (k != seen_key || t != seen_turn) ->
				seen_key = (since_later -> 0 : k);
				seen_turn = (since_later -> 0 : t)
			:: else
			fi;
			k = 0; t = 0
		};
#if !defined(LOOK_BEFORE_TAKE) && !defined(NO_CROWD)
		is_crowded = crowded > 0;
#endif
		atomic {
			if
#ifdef FREE_ANY
			:: is_pending && !is_crowded ->
#else
			:: is_pending && !is_crowded && seen_key == 0 ->
#endif
				assert(text);	/* free_notifier() */
				freed[0] = true;
				is_pending = false
			:: else
			fi;
			is_crowded = false
		};
		settled = (is_pending -> stamp - 1 : begun)
	od
}
