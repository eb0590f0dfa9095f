/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: hlist.rs: release call_release
 * Code: registration.rs: unregister release_within release_another_way is_linked put set_up
 * Code: pending.rs: free_later free
 * Code: subscriptions.rs: unlink unlink_all destroy
 * Code: mm.rs: pin unpin unpin_after
 * Code: domain.rs: read read_plain synchronize
 * Broken: EXIT_NO_WAIT: safety
 * Broken: UNREGISTER_NO_WAIT: safety
 * Broken: NO_SECTION: safety
 * Broken: UNPIN_FIRST: safety
 * Broken: FREE_BEFORE_UNPIN: safety
 * Broken: UNLINK_FIRST: safety
 *
 * The address space dies, one driver unregisters, another gives up both of its
 * holds, and somebody still invalidates. No subscription is used that has
 * been freed; no page is freed before every `release` that was due has
 * returned; the state is used by nobody when the last pin has gone, and its
 * list is empty then, which comes about.
 */
#define TASKS		3	/* who may be in a section: exit, unregister, a reader */
#define EXIT		0
#define UNREGISTER	1
#define READER		2
#define SUBS		2	/* 0 is unregistered, 1 is put */

/* Slots, without their turns: each task is in a section once. */
bool in[TASKS], has_been[TASKS];
#define ENTER(who)	in[who] = true
#define LEAVE(who)	d_step { in[who] = false; has_been[who] = true }
/* Who has left stays so, hence one look at each. */
#define WAIT_FOR(who, was)	(!was || !in[who])

bool linked[SUBS] = true;
bool freed[SUBS], begun[SUBS], released[SUBS];
byte pins = 3;		/* mm_count: of mm_users, and of each subscription */
byte users = 2;		/* holds on subscription 1 */
bool queued;
bool pages_freed, destroyed;
bool lock;

inline spin_lock()
{
	assert(!destroyed);
	atomic { !lock -> lock = true }
}

inline unpin()
{
	atomic {
		assert(pins > 0);
		pins--;
		if
		:: pins == 0 ->
			assert(!linked[0] && !linked[1]);
			destroyed = true
		:: else
		fi
	}
}

/*
 * A callback that takes its time, and for which its subscription is needed.
 * Called a second time, which can happen, it leaves the work to the first.
 */
inline call_release(sub)
{
	if
	:: atomic { !begun[sub] -> begun[sub] = true };
		assert(!freed[sub]);
		assert(!freed[sub]);
		released[sub] = true
	:: begun[sub] -> assert(!freed[sub])
	fi
}

active proctype exit_mmap()
{
	bool was[TASKS];
	byte at;

	/* hlist::release() */
	ENTER(EXIT);
	do
	:: at < SUBS ->
		if
		:: linked[at] -> call_release(at)
		:: else
		fi;
		at++
	:: else -> break
	od;
	spin_lock();
	linked[0] = false;
	linked[1] = false;
	lock = false;
	LEAVE(EXIT);
#ifndef EXIT_NO_WAIT
	d_step { was[UNREGISTER] = in[UNREGISTER]; was[READER] = in[READER] };
	WAIT_FOR(UNREGISTER, was[UNREGISTER]) && WAIT_FOR(READER, was[READER]);
#endif
	/* Unless a put had it off the list before, which calls no release. */
	assert(released[0]);
	pages_freed = true;
	unpin()
}

active proctype unregister()
{
	bool was[TASKS];

#ifdef UNLINK_FIRST
	/* Whoever unlinks and then calls lets exit go by in between. */
	spin_lock();
	linked[0] = false;
	lock = false;
	ENTER(UNREGISTER);
	call_release(0);
	LEAVE(UNREGISTER);
#else
	if
	:: linked[0] ->
#ifndef NO_SECTION
		ENTER(UNREGISTER);
#endif
		call_release(0);
#ifndef NO_SECTION
		LEAVE(UNREGISTER);
#endif
		spin_lock();
		linked[0] = false;
		lock = false
	:: else
	fi;
#endif
#ifdef UNPIN_FIRST
	unpin();
#endif
#ifndef UNREGISTER_NO_WAIT
	assert(!destroyed);
	d_step { was[EXIT] = in[EXIT]; was[READER] = in[READER] };
	WAIT_FOR(EXIT, was[EXIT]) && WAIT_FOR(READER, was[READER]);
#endif
	freed[0] = true;
	assert(!destroyed);
#ifndef UNPIN_FIRST
	unpin()
#endif
}

active [2] proctype put()
{
	byte left;

	spin_lock();
	users--;
	left = users;
	if
	:: left == 0 -> linked[1] = false
	:: else
	fi;
	lock = false;
	if
	:: left == 0 -> queued = true
	:: else
	fi
}

active proctype monitor()
{
	bool was[TASKS];

	queued;
	d_step {
		was[EXIT] = in[EXIT];
		was[UNREGISTER] = in[UNREGISTER];
		was[READER] = in[READER]
	};
	WAIT_FOR(EXIT, was[EXIT]) && WAIT_FOR(UNREGISTER, was[UNREGISTER]) &&
		WAIT_FOR(READER, was[READER]);
#ifdef FREE_BEFORE_UNPIN
	unpin();
	assert(!destroyed);	/* free() reads the mm from the subscription */
	freed[1] = true
#else
	freed[1] = true;
	assert(!destroyed);
	unpin()
#endif
}

/* Reclaim, say, through the reverse maps: it keeps the mm by what it holds. */
active proctype invalidation()
{
	byte at;

	if
	:: atomic { !pages_freed -> pins++ };
		ENTER(READER);
		do
		:: at < SUBS ->
			if
			:: linked[at] -> assert(!freed[at]); assert(!freed[at])
			:: else
			fi;
			at++
		:: else -> break
		od;
		assert(!destroyed);
		LEAVE(READER);
		unpin()
	:: pages_freed
	fi
}
