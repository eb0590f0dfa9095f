/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: registration.rs: register attach_while_idle with_itree
 * Code: subscriptions.rs: link link_alone enable_itree has_itree
 * Code: mm_lock.rs: take
 * Code: itree.rs: inv_start inv_end leave_refused
 * Code: hlist.rs: invalidate_range_start invalidate_range_end end_what_was_refused
 * Code: mmu_notifier.rs: end_intervals_of_refused __mmu_notifier_invalidate_range_end
 * Broken: COUNT_FIRST: safety
 * Broken: NO_LOCKS: safety
 * Broken: TRUST_ALWAYS: safety
 * Broken: NO_SPINLOCK: safety
 * Broken: COUNT_REFUSED: safety
 *
 * Subscriptions are attached while ranges are invalidated: the interval side is
 * turned on, then two are linked, each with all locks or while the address
 * space is idle. A range begun after a subscription was registered is started
 * and ended with it; none is ended with one that it was not started with; and
 * ranges are counted down to zero, refused ones as well.
 *
 * A range holds one lock of the VM from start to end, the same for each, of
 * which a registration takes all.
 */
#define RANGES		2
#define LAST		2

bool has_itree;
byte active_ranges;
bool lock;		/* the state's spinlock */
byte vm_readers;	/* of the VM's lock */
byte over;
bool linked[LAST], registered[LAST];

inline spin_lock()
{
	atomic { !lock -> lock = true }
}

inline count(by)
{
	spin_lock();
	active_ranges = active_ranges + by;
	lock = false
}

active [RANGES] proctype range()
{
	bool had[LAST], started[LAST];
	bool counted, refused;
	byte at;

	atomic { vm_readers != 255 -> vm_readers++ };
	d_step {
		had[0] = registered[0];
		had[1] = registered[1];
		counted = has_itree
	};
	/* __mmu_notifier_invalidate_range_start() */
	if
	:: counted -> count(1)
	:: else
	fi;
	do
	:: at < LAST ->
		if
		:: linked[at] -> started[at] = true
		:: else
		fi;
		at++
	:: else -> break
	od;
	/* The first one may refuse if the range is not blockable. */
	if
	:: started[0] -> refused = true
	:: true
	fi;
	assert(!had[0] || started[0]);
	assert(!had[1] || started[1]);
	if
	:: refused ->
#ifndef COUNT_REFUSED
		if
		:: counted -> count(-1)
		:: else
		fi
#endif
	:: else ->
		/* __mmu_notifier_invalidate_range_end() */
#ifdef COUNT_FIRST
		if
		:: counted -> count(-1)
		:: else
		fi;
#endif
		at = 0;
		do
		:: at < LAST ->
			assert(linked[at] == started[at]);
			at++
		:: else -> break
		od;
#ifndef COUNT_FIRST
		assert(has_itree == counted);
		if
		:: counted -> count(-1)
		:: else
		fi
#endif
	fi;
	atomic { vm_readers--; over++ }
}

inline all_locks()
{
#ifdef NO_LOCKS
	skip
#else
	atomic { vm_readers == 0 -> vm_readers = 255 }
#endif
}

inline drop_all_locks()
{
#ifdef NO_LOCKS
	skip
#else
	vm_readers = 0
#endif
}

inline attach(which)
{
	attached = false;
#ifdef TRUST_ALWAYS
	if
	:: true ->
#else
	if
	:: has_itree ->
#endif
#ifdef NO_SPINLOCK
		if
		:: active_ranges == 0 -> linked[which] = true; attached = true
		:: else
		fi
#else
		spin_lock();
		if
		:: active_ranges == 0 -> linked[which] = true; attached = true
		:: else
		fi;
		lock = false
#endif
	:: else
	fi;
	if
	:: attached
	:: else ->
		all_locks();
		spin_lock();
		linked[which] = true;
		lock = false;
		drop_all_locks()
	fi;
	registered[which] = true
}

/* One after the other, as the mmap_lock has it. */
active proctype registrations()
{
	bool attached;

	if
	:: attach(0)
	:: skip
	fi;
	if
	:: all_locks(); has_itree = true; drop_all_locks()
	:: skip
	fi;
	attach(1);
	over == RANGES;
	assert(active_ranges == 0)
}
