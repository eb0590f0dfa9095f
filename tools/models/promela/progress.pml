/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: domain.rs: synchronize wait_for
 * Code: slots.rs: claim drop is_still_of
 * Code: pending.rs: take_new free_ready
 * Code: monitor.rs: pass has_reader
 * Broken: ANY_KEY: unregister_returns
 * Broken: NO_TURN: unregister_returns
 * Broken: ANY_KEY: put_is_freed
 * Broken: NO_TURN: put_is_freed
 *
 * Two address spaces in native mode. In one, a callback is stuck for ever. In
 * the other, readers come and go without end, through the same slot. There,
 * unregister returns, and what was put is freed: if every process that can go
 * on does so some time (weak fairness).
 */
#define SLOTS		2
#define MM		1
#define OTHER		2

byte key[SLOTS];

/*
 * A turn is a number that never comes back. All that is asked of it is whether
 * it has changed since it was loaded, so each who does has a bit of his own.
 */
#define UNREGISTER	0
#define MONITOR		1
bool has_changed[2];

bool unregistered, put_freed;

ltl unregister_returns { <> unregistered }
ltl put_is_freed { <> put_freed }

#ifdef ANY_KEY
#define IS_MINE(k)	(k != 0)
#else
#define IS_MINE(k)	(k == MM)
#endif
#ifdef NO_TURN
#define HAS_LEFT(n, k, who)	(key[n] != k)
#else
#define HAS_LEFT(n, k, who)	(key[n] != k || (n == 1 && has_changed[who]))
#endif

active proctype stuck()
{
	key[0] = OTHER;
	false
}

active proctype readers()
{
	do
	:: key[1] = MM;
	   d_step { has_changed[UNREGISTER] = true; has_changed[MONITOR] = true };
	   key[1] = 0
	od
}

/* A waiter that sleeps between its looks may find somebody at each of them. */
active proctype unregister()
{
	byte n, k;

	do
	:: n < SLOTS ->
		k = key[n];
		has_changed[UNREGISTER] = false;
		if
		:: IS_MINE(k) ->
			do
			:: d_step { HAS_LEFT(n, k, UNREGISTER) -> skip }; break
			:: d_step { !HAS_LEFT(n, k, UNREGISTER) -> skip }
			od
		:: else
		fi;
		n++
	:: else -> break
	od;
	unregistered = true
}

/* Everything that was seen at the first pass is waited for, pass by pass. */
active proctype monitor()
{
	byte k[SLOTS];

	k[0] = key[0];
	d_step { k[1] = key[1]; has_changed[MONITOR] = false };
	do
	:: d_step {
		if
		:: IS_MINE(k[0]) && HAS_LEFT(0, k[0], MONITOR) -> k[0] = 0
		:: else
		fi };
	   d_step {
		if
		:: IS_MINE(k[1]) && HAS_LEFT(1, k[1], MONITOR) -> k[1] = 0
		:: else
		fi };
	   if
	   :: !IS_MINE(k[0]) && !IS_MINE(k[1]) -> break
	   :: else
	   fi
	od;
	put_freed = true
}
