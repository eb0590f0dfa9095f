/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slots, and the kernel's SRCU domain, as the models use them. A reader's slot
 * has a key (an mm; 0: free) and a turn; SRCU is what its documentation says: a
 * grace period waits for those who are in a section when it begins.
 */
byte key[SLOTS];
byte turn[SLOTS];

#define NOWHERE		SLOTS
#define LATER(n)	((n + 1) % 4)	/* numbers wrap, and no model needs more */

/* Claim::first() and Claim::another(): a free slot, or nowhere. */
inline claim(mm, slot)
{
	atomic {
		slot = 0;
		do
		:: slot < SLOTS && key[slot] != 0 -> slot++
		:: else -> break
		od;
		if
		:: slot < SLOTS -> key[slot] = mm
		:: else
		fi
	}
}

/* Claim::drop(): two stores. */
inline give_back(slot)
{
	if
	:: slot != NOWHERE ->
		turn[slot] = LATER(turn[slot]);
		key[slot] = 0
	:: else
	fi
}

/* Slot::occupant(): two loads. */
inline occupant(slot, its_key, its_turn)
{
	its_key = key[slot];
	its_turn = turn[slot]
}

/* Domain::synchronize(), as far as slots go. */
inline wait_for_slots(mm, slot, k, t)
{
	slot = 0;
	do
	:: slot < SLOTS ->
		d_step { k = 0; t = 0 };
		occupant(slot, k, t);
		if
		:: k == mm -> key[slot] != k || turn[slot] != t
		:: else
		fi;
		slot++
	:: else -> break
	od;
	skip;
	d_step { slot = 0; k = 0; t = 0 }
}

bool srcu_in[SECTIONS];
byte srcu_turn[SECTIONS];

inline srcu_enter(section)
{
	srcu_in[section] = true
}

inline srcu_leave(section)
{
	d_step {
		assert(srcu_in[section]);
		srcu_in[section] = false;
		srcu_turn[section] = LATER(srcu_turn[section])
	}
}

/* What a process needs to wait for grace periods: the turns at the beginning. */
#define SRCU_WAITER	byte n; byte began[SECTIONS]
#define NOBODY		255

inline srcu_begin()
{
	d_step {
		n = 0;
		do
		:: n < SECTIONS ->
			began[n] = (srcu_in[n] -> srcu_turn[n] : NOBODY);
			n++
		:: else -> break
		od;
		n = 0
	}
}

#define HAS_LEFT(i)	(began[i] == NOBODY || !srcu_in[i] || srcu_turn[i] != began[i])

#if SECTIONS == 2
#define ALL_HAVE_LEFT	(HAS_LEFT(0) && HAS_LEFT(1))
#else
#error "as many as there are sections"
#endif

/* Who has left stays so: to look at all at once is no more than at each in turn. */
inline srcu_wait()
{
	atomic {
		ALL_HAVE_LEFT;
		n = 0;
		do
		:: n < SECTIONS -> began[n] = 0; n++
		:: else -> break
		od;
		n = 0
	}
}

inline srcu_synchronize()
{
	srcu_begin();
	srcu_wait()
}
