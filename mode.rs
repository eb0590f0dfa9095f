// SPDX-License-Identifier: GPL-2.0

//! Compatible or native: how a registration excludes the VM.
//!
//! While livepatch moves tasks over one by one, some register through C and some through Rust.
//! C takes the locks of an `mm` in the order of its VMAs, under a mutex for the whole machine;
//! [`crate::mm_lock`] waits for them in the order of their addresses, without. One of each on two
//! processes that map the same files could wait for each other for ever. So there are two modes:
//!
//! - *compatible*: registrations call the kernel's own `mm_take_all_locks()`, and readers and
//!   waiters share the kernel's grace-period domain with C, see [`crate::domain`];
//! - *native*: registrations take the locks by [`crate::mm_lock`], and each address space has a
//!   domain of its own.
//!
//! A registration stays in the mode that it began in, and a change of mode waits until all those
//! of the other mode are done: the gate is a per-CPU reader-writer semaphore, of which a
//! registration holds the reading side. It nests inside `mmap_lock` and outside every lock that a
//! registration takes.

use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    types::NotThreadSafe, //
};

use crate::{
    account,
    age::{
        self,
        Line, //
    },
    ffi,
    monitor::StandIn, //
};

/// Set in [`STATE`] while the mode is compatible: written with the gate held for writing, trusted
/// with it held for reading.
const COMPATIBLE: i32 = 1;
/// What each observer adds to it, see [`crate::observe`]. They come and go at any time.
const OBSERVER: i32 = 2;

const FIRST: i32 = if cfg!(MODULE) { COMPATIBLE } else { 0 };

/// Zero if there is nothing to heed, so that the hooks need but one look.
static STATE: Line<Atomic<i32>> = Line(Atomic::<i32>::new(FIRST));

/// Makes the gate, before anything is taken over.
///
/// # Errors
///
/// `ENOMEM`.
///
/// Context: sleeps.
pub(crate) fn init() -> Result {
    age::renew();
    // SAFETY: Called once, before the gate is used.
    to_result(unsafe { ffi::mmn_gate_init() })
}

/// Takes the gate down, when nothing can enter it any more.
///
/// Context: sleeps.
#[cfg(MODULE)]
pub(crate) fn exit() {
    // SAFETY: Called once, after `init()`, when this crate's functions are unreachable.
    unsafe { ffi::mmn_gate_exit() };
}

/// Evidence that the mode does not change.
///
/// # Invariants
///
/// The current task holds the gate for reading until drop, and `native` is the mode.
pub(crate) struct Gate {
    native: bool,
    _not_send: NotThreadSafe,
}

impl Gate {
    /// Enters the gate.
    ///
    /// Context: sleeps while the mode is being changed.
    pub(crate) fn enter() -> Self {
        // SAFETY: No preconditions; paired in `drop()`.
        unsafe { ffi::mmn_gate_read_lock() };
        // INVARIANT: The gate was just entered.
        Self {
            native: STATE.0.load(Relaxed) & COMPATIBLE == 0,
            _not_send: NotThreadSafe,
        }
    }

    /// Whether registrations take the locks by [`crate::mm_lock`].
    pub(crate) fn is_native(&self) -> bool {
        self.native
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::mmn_gate_read_unlock() };
    }
}

/// The mode at this moment: for plans that [`Gate::is_native`] confirms, and for readers and
/// waiters, whose order of accesses makes up for a change. What follows comes after the look.
#[inline(always)]
pub(crate) fn is_native() -> bool {
    state() & COMPATIBLE == 0
}

/// Whether the mode is native and nobody observes, as [`is_native`].
#[inline(always)]
pub(crate) fn is_plain() -> bool {
    state() == 0
}

#[inline(always)]
fn state() -> i32 {
    // SAFETY: Written by untorn stores only. (An atomic load would be a call out of line.)
    unsafe { ffi::load_acquire(STATE.0.as_ptr()) }
}

/// One more observer, or one less.
#[no_mangle]
extern "C" fn mmn_observers_changed(by: c_int) {
    STATE.0.fetch_add(by.wrapping_mul(OBSERVER), Relaxed);
}

/// How many observe.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
pub(crate) fn observers() -> i32 {
    state() / OBSERVER
}

fn switch(native: bool) {
    // SAFETY: No preconditions; paired below. Waits for every registration of the old mode.
    unsafe { ffi::mmn_gate_write_lock() };
    let changes = is_native() != native;
    if changes {
        let by = if native { -COMPATIBLE } else { COMPATIBLE };
        STATE.0.fetch_add(by, Relaxed);
    }
    // SAFETY: Pairs with the lock above.
    unsafe { ffi::mmn_gate_write_unlock() };
    if changes {
        // SAFETY: No preconditions.
        unsafe { ffi::mmn_trace_mode(native) };
    }
}

/// Livepatch's post-patch step: no task is inside C's functions any more. Built in, a test's wish.
///
/// Context: sleeps until registrations that are under way are done.
#[no_mangle]
pub(crate) extern "C" fn mmn_go_native() {
    // Nobody is in C any more, who would let go of a subscription and leave its time behind.
    age::renew();
    switch(true);
}

/// Livepatch's pre-unpatch step: tasks are about to enter C's functions again. Built in, a test's
/// wish.
///
/// Readers that have begun in native mode may go on: C's waiters wait for the stand-in.
///
/// Context: sleeps until registrations that are under way are done.
#[no_mangle]
pub(crate) extern "C" fn mmn_go_compatible() {
    let stand_in = StandIn::enter();
    switch(false);
    // C will not say which subscriptions it lets go.
    account::forget_all();
    // The end of an invalidation that has found native mode under the spinlock may wake nobody, and
    // a waiter that has found it waits for no task in C. By now either's stores before that look
    // are seen by whoever enters C next: the spinlock's holder is a reader of RCU, and the waiter
    // has had a full barrier. (Litmus tests wake-compatible and mode-compatible.)
    ffi::synchronize_rcu();
    stand_in.leave_later();
}

/// What the module parameter `mode` shows.
#[no_mangle]
pub(crate) extern "C" fn mmn_mode_is_native() -> bool {
    is_native()
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/mode.rs"]
mod tests;
