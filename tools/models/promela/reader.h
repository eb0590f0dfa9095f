/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Readers of one list in native mode: in a slot, or crowded into SRCU. Their
 * callbacks may take as long as they like, and use the subscription throughout.
 */
#define MM		1

byte crowded;
bool linked[LAST] = true;
bool freed[LAST];

active [READERS] proctype reader()
{
	byte slot, at;
	byte rounds = ROUNDS;

	do
	:: rounds > 0 ->
		rounds--;
		claim(MM, slot);
		if
		:: slot == NOWHERE ->
			crowded++;
			srcu_enter(_pid)
		:: else
		fi;
		at = 0;
		do
		:: at < LAST ->
			if
			:: linked[at] ->
				assert(!freed[at]);	/* the callback begins */
				assert(!freed[at])	/* ends, and the link is read */
			:: else
			fi;
			at++
		:: else -> break
		od;
		if
		:: slot == NOWHERE ->
			srcu_leave(_pid);
			crowded--
		:: else ->
#ifdef KEY_BEFORE_TURN
			key[slot] = 0;
			turn[slot] = LATER(turn[slot])
#else
			give_back(slot)
#endif
		fi;
		d_step { slot = 0; at = 0 }
	:: else -> break
	od
}
