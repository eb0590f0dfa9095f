/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: itree.rs: inv_start call_met inv_end open_tree apply_deferred read_begin insert remove
 * Code: wait.rs: wait_event has_sleeper
 * Code: seq.rs: begun ended never_begun
 * Broken: NO_DEFER: safety
 * Broken: EVEN_INSERT: safety
 * Broken: NO_WAIT: safety
 * Broken: FIRST_OUT: safety
 * Broken: LOOK_BEFORE_QUEUE: safety
 * Broken: WAKE_ONE: safety
 *
 * The interval side: two invalidations, each of one range or of both, and a
 * driver that inserts one, reads and commits under its own lock, and removes
 * and frees it; another subscription is there all the time, with a reader of
 * its own. A tree that is walked does not change; none that was removed is
 * called; a page that an invalidation has taken away is not committed; and
 * every wait comes to its end, though nobody is woken who was not queued.
 *
 * What is done under the spinlock is one step: nothing of it but the tree, of
 * which each change is one step as well, is looked at without.
 */
#define INVALIDATIONS	2
#define SUBS		2	/* 0 is there all the time, 1 comes and goes */
#define DRIVERS		2

byte seq = 2;
byte active_ranges;
bool in_tree[SUBS], deferred[SUBS], freed[SUBS];
bool is_set_up;
byte own_seq[SUBS] = 1;
bool user_lock[SUBS];
byte walkers;

bool is_queued[DRIVERS], is_woken[DRIVERS];

/* A page of each subscription: whether it has gone, and is mapped by its driver. */
bool page_gone[SUBS];
bool mapped[SUBS];

#define ODD(n)		(n % 2 == 1)

inline user_takes(sub)
{
	atomic { !user_lock[sub] -> user_lock[sub] = true }
}

inline apply(sub)
{
	if
	:: deferred[sub] -> in_tree[sub] = !in_tree[sub]; deferred[sub] = false
	:: else
	fi
}

inline wake(who)
{
	if
	:: is_queued[who] -> is_woken[who] = true
	:: else
	fi
}

active [INVALIDATIONS] proctype invalidation()
{
	byte from, at, cur;	/* it covers both subscriptions, or the visitor's range */
	bool met, wake_them;

	/* inv_start() */
	is_set_up;
	if
	:: from = 0
	:: from = 1
	fi;
	atomic {
		active_ranges++;
		if
		:: in_tree[1] || (in_tree[0] && from == 0) ->
			met = true;
			d_step { seq = (ODD(seq) -> seq : seq + 1); walkers++ }
		:: else
		fi;
		cur = seq
	};
	/* call_met(): without the lock */
	at = from;
	do
	:: met && at < SUBS ->
		if
		:: in_tree[at] ->
			user_takes(at);
			assert(!freed[at]);
			own_seq[at] = cur;
			mapped[at] = false;
			user_lock[at] = false;
			assert(in_tree[at])	/* the successor is found from here */
		:: else
		fi;
		at++
	:: else -> break
	od;
	walkers = (met -> walkers - 1 : walkers);
	d_step {
		page_gone[1] = true;
		page_gone[0] = page_gone[0] || from == 0;
		at = 0
	};
	assert(!mapped[1] && (!mapped[0] || from == 1));
	/* inv_end() */
	atomic {
		active_ranges--;
		if
#ifdef FIRST_OUT
		:: ODD(seq) ->
#else
		:: active_ranges == 0 && ODD(seq) ->
#endif
			assert(walkers == 0);
			d_step { seq++; apply(0); apply(1) };
			wake_them = is_queued[0] || is_queued[1]	/* has_sleeper() */
		:: else
		fi
	};
	if
	:: wake_them ->
		wake(0);
#ifndef WAKE_ONE
		wake(1)
#endif
	:: else
	fi
}

/* wait_event(): queue, look at the sequence under the lock, sleep. */
inline wait_for_change(who, old)
{
	do
	:: true ->
#ifdef LOOK_BEFORE_QUEUE
		now = seq;
		d_step { is_queued[who] = true; is_woken[who] = false };
#else
		d_step { is_queued[who] = true; is_woken[who] = false };
		now = seq;
#endif
		if
		:: now != old -> break
		:: else -> is_woken[who]
		fi
	od;
	skip;
	d_step { is_queued[who] = false; is_woken[who] = false; now = 0 }
}

inline read_and_commit(who, sub)
{
	atomic {
		s = own_seq[sub];
		is_invalidating = s == seq
	};
	if
	:: is_invalidating -> wait_for_change(who, s)
	:: else
	fi;
	there = !page_gone[sub];	/* hmm_range_fault() */
	user_takes(sub);
	if
	:: own_seq[sub] == s && there -> mapped[sub] = true
	:: else			/* mmu_interval_read_retry() */
	fi;
	user_lock[sub] = false
}

inline insert(sub)
{
	atomic {
		if
		:: active_ranges == 0 ->
			assert(walkers == 0);
			in_tree[sub] = true;
			own_seq[sub] = seq - 1
		:: active_ranges > 0 && ODD(seq) ->
#ifdef NO_DEFER
			assert(walkers == 0);
			in_tree[sub] = true;
#else
			deferred[sub] = true;
#endif
			own_seq[sub] = seq
		:: else ->
			assert(walkers == 0);
			in_tree[sub] = true;
#ifdef EVEN_INSERT
			own_seq[sub] = seq - 1
#else
			seq++;
			own_seq[sub] = seq
#endif
		fi
	}
}

inline remove(who, sub)
{
	s = 0;
	atomic {
		if
		:: !ODD(seq) ->
			assert(walkers == 0);
			in_tree[sub] = false
		:: ODD(seq) && in_tree[sub] -> deferred[sub] = true; s = seq
		:: else -> deferred[sub] = false
		fi
	};
#ifndef NO_WAIT
	if
	:: s != 0 -> wait_for_change(who, s)
	:: else
	fi;
#endif
	assert(!in_tree[sub] && !deferred[sub]);
	freed[sub] = true
}

active proctype resident()
{
	byte s, now;
	bool is_invalidating, there;

	d_step { in_tree[0] = true; is_set_up = true };
	read_and_commit(0, 0)
}

active proctype visitor()
{
	byte s, now;
	bool is_invalidating, there;

	is_set_up;
	insert(1);
	read_and_commit(1, 1);
	/* A driver unmaps what it has before it frees. */
	user_takes(1);
	mapped[1] = false;
	user_lock[1] = false;
	remove(1, 1)
}
