/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: mm_lock.rs: take take_listed try_listed take_next release_listed
 * Code: mode.rs: enter switch mmn_go_native mmn_go_compatible
 * Code: link/livepatch.c: post_patch pre_unpatch
 * Broken: NO_GATE: safety
 * Broken: UNSORTED: safety
 * Broken: STALE_PLAN: safety
 * Broken: KEEP_WHILE_WAITING: safety
 * Broken: EINTR_KEEPS: safety
 *
 * Two registrations, in address spaces that map the same two files in opposite
 * orders, each in C or in Rust, while the module comes and goes. C takes the
 * locks of the VMAs in their order, under a mutex; Rust does the same through
 * the kernel's function in compatible mode, and in native mode tries them, and
 * waits in the order of their addresses at last. A signal may come whenever it
 * is looked for. Nobody waits for ever; who holds all locks is alone; and who
 * fails holds none.
 */
#define LOCKS		2
#define TASKS		2
#define FREE		255

byte owner[LOCKS] = FREE;
byte mutex = FREE;	/* mm_all_locks_mutex */
bool in_rust[TASKS], inside[TASKS];
bool native;
byte readers;		/* of the gate */
bool writer;

/* The i-th lock in the order of the VMAs of a task's mm. */
#define VMA(task, i)	((task + i) % LOCKS)

inline hold(lock)
{
	atomic { owner[lock] == FREE -> owner[lock] = _pid }
}

inline release_all()
{
	d_step {
		i = 0;
		do
		:: i < LOCKS ->
			if
			:: owner[i] == _pid -> owner[i] = FREE
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline holds_all()
{
	assert(owner[0] == _pid && owner[1] == _pid);
	assert(owner[0] == _pid && owner[1] == _pid)
}

inline holds_none()
{
	assert(owner[0] != _pid && owner[1] != _pid)
}

/* mm_take_all_locks() */
inline take_as_c()
{
	atomic { mutex == FREE -> mutex = _pid };
	hold(VMA(_pid, 0));
	if
	:: true ->
		hold(VMA(_pid, 1));
		holds_all()
	:: true		/* a signal */
	fi;
	release_all();
	holds_none();
	mutex = FREE
}

inline take_native()
{
	/* One attempt, in the order of the VMAs: */
	i = VMA(_pid, 0);
	if
	:: atomic { owner[i] == FREE -> owner[i] = _pid };
		i = VMA(_pid, 1);
		if
		:: atomic { owner[i] == FREE -> owner[i] = _pid }; all = true
		:: owner[i] != FREE ->
#ifndef KEEP_WHILE_WAITING
			release_all();
			i = VMA(_pid, 1)
#endif
		fi
	:: owner[i] != FREE
	fi;
	if
	:: all
	:: else ->
		/* The busy one is waited for with nothing held. */
		hold(i);
		owner[i] = FREE;
		if
		:: signal = true
		:: true
		fi
	fi;
	/* And then in order. */
	i = 0;
	do
	:: i < LOCKS && !all && !signal ->
		if
		:: signal = true
		:: true ->
#ifdef UNSORTED
			hold(VMA(_pid, i));
#else
			hold(i);
#endif
			i++
		fi
	:: else -> break
	od;
	if
	:: signal
	:: else -> holds_all()
	fi;
#ifdef EINTR_KEEPS
	if
	:: signal
	:: else -> release_all()
	fi;
#else
	release_all();
#endif
	holds_none()
}

active [TASKS] proctype register()
{
	byte i;
	bool rust, planned, all, signal;

	atomic { inside[_pid] = true; rust = in_rust[_pid] };
	if
	:: !rust -> take_as_c()
	:: rust ->
		do
		:: true ->
			planned = native;
#ifndef NO_GATE
			atomic { !writer -> readers++ };
#endif
#if defined(NO_GATE) || defined(STALE_PLAN)
			break
#else
			if
			:: planned == native -> break
			:: else -> readers--
			fi
#endif
		od;
		if
		:: planned -> take_native()
		:: else -> take_as_c()
		fi;
#ifndef NO_GATE
		readers--
#endif
	fi;
	inside[_pid] = false
}

inline change_over(to)
{
	do
	:: atomic { in_rust[0] != to && !inside[0] -> in_rust[0] = to }
	:: atomic { in_rust[1] != to && !inside[1] -> in_rust[1] = to }
	:: in_rust[0] == to && in_rust[1] == to -> break
	od
}

inline switch(to)
{
#ifdef NO_GATE
	native = to;
#else
	writer = true;		/* those who come wait */
	readers == 0;		/* and those who came are waited for */
	native = to;
	writer = false
#endif
}

/* The VM invalidates under one lock or the other, as it likes. */
active proctype vm()
{
	atomic { owner[1] == FREE -> owner[1] = _pid };
	owner[1] = FREE;
	atomic { owner[0] == FREE -> owner[0] = _pid };
	owner[0] = FREE
}

active proctype livepatch()
{
	change_over(true);
	switch(true);
	switch(false);
	change_over(false)
}
