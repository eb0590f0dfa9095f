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
//! - *native*: registrations take the locks by [`crate::mm_lock`], and each address space has a domain of its own.
//!
//! A registration stays in the mode that it began in, and a change of mode waits until all those
//! of the other mode are done: the gate is a per-CPU reader-writer semaphore, of which a
//! registration holds the reading side. It nests inside `mmap_lock` and outside every lock that a
//! registration takes.

use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    types::NotThreadSafe, //
};

use crate::{
    ffi,
    monitor::StandIn, //
};

/// Written with the gate held for writing, trusted with it held for reading.
static NATIVE: Atomic<bool> = Atomic::<bool>::new(cfg!(not(MODULE)));

/// Makes the gate, before anything is taken over.
///
/// # Errors
///
/// `ENOMEM`.
///
/// Context: sleeps.
pub(crate) fn init() -> Result {
    // SAFETY: Called once, before the gate is used.
    to_result(unsafe { ffi::mmn_gate_init() })
}

/// Takes the gate down, when nothing can enter it any more.
///
/// Context: sleeps.
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
            native: NATIVE.load(Relaxed),
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
    // SAFETY: Written by untorn stores only. (An atomic load would be a call out of line.)
    cfg!(not(MODULE)) || unsafe { ffi::load_acquire(NATIVE.as_ptr().cast::<bool>()) }
}

fn switch(native: bool) {
    // SAFETY: No preconditions; paired below. Waits for every registration of the old mode.
    unsafe { ffi::mmn_gate_write_lock() };
    NATIVE.store(native, Relaxed);
    // SAFETY: Pairs with the lock above.
    unsafe { ffi::mmn_gate_write_unlock() };
}

/// Livepatch's post-patch step: no task is inside C's functions any more.
///
/// Context: sleeps until registrations that are under way are done.
#[no_mangle]
extern "C" fn mmn_go_native() {
    switch(true);
}

/// Livepatch's pre-unpatch step: tasks are about to enter C's functions again.
///
/// Readers that have begun in native mode may go on: C's waiters wait for the stand-in.
///
/// Context: sleeps until registrations that are under way are done.
#[no_mangle]
extern "C" fn mmn_go_compatible() {
    let stand_in = StandIn::enter();
    switch(false);
    stand_in.leave_later();
}

/// What the module parameter `mode` shows.
#[no_mangle]
extern "C" fn mmn_mode_is_native() -> bool {
    is_native()
}
