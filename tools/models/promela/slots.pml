/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: slots.rs: claim first another drop occupant is_still_of for_each
 * Code: domain.rs: read read_plain read_another_way leave_global is_crowded synchronize wait_for
 * Code: registration.rs: unregister
 * Broken: LOOK_BEFORE_UNLINK: safety
 * Broken: NO_CROWD: safety
 * Broken: KEY_BEFORE_TURN: safety
 * Broken: ENDLESS_WAIT: safety
 *
 * Unregister against readers of the same list, in native mode: one slot for two
 * readers, so that one of them is crowded into SRCU at times. No reader has
 * what has been freed, and unregister returns.
 */
#define SLOTS		1
#define READERS		2
#define SECTIONS	READERS
#define ROUNDS		3
#define LAST		1

#include "domain.h"
#include "reader.h"

active proctype unregister()
{
	byte slot, k, t;
	SRCU_WAITER;

#ifdef LOOK_BEFORE_UNLINK
	wait_for_slots(MM, slot, k, t);
	linked[0] = false;
#else
	linked[0] = false;
	wait_for_slots(MM, slot, k, t);
#endif
#ifdef ENDLESS_WAIT
	/* For a mark that nobody makes. */
	key[0] == MM && turn[0] == LATER(3);
#endif
#ifndef NO_CROWD
	if
	:: crowded > 0 -> srcu_synchronize()
	:: else
	fi;
#endif
	freed[0] = true
}
