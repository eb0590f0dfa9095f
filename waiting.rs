// SPDX-License-Identifier: GPL-2.0

//! Who waits for readers of which address space: for the eyes of the watchdog only.

use core::{
    ffi::c_void,
    ptr, //
};
use kernel::{
    bindings,
    current,
    sync::atomic::{
        ordering::{
            Acquire,
            Full,
            Relaxed,
            Release, //
        },
        Atomic, //
    }, //
};

use crate::slots::Key;

/// How many are remembered at a time; more wait unseen.
const SEATS: usize = 64;

/// A place for one who waits.
struct Seat {
    task: Atomic<*mut bindings::task_struct>,
    key: Atomic<*mut c_void>,
}

static WAITING: [Seat; SEATS] = [const {
    Seat {
        task: Atomic::<*mut bindings::task_struct>::new(ptr::null_mut()),
        key: Atomic::<*mut c_void>::new(ptr::null_mut()),
    }
}; SEATS];

/// The current task, seen to wait until drop.
///
/// # Invariants
///
/// The seat, if there is one, is the current task's.
pub(crate) struct Waiting(Option<&'static Seat>);

impl Waiting {
    /// Says that the current task is about to wait for readers of `key`.
    pub(crate) fn announce(key: Key) -> Self {
        let me = current!().as_ptr();
        // Each begins its search elsewhere, not to meet the others.
        let (before, after) = WAITING.split_at((me.addr() / 64) % SEATS);
        let seat = after.iter().chain(before).find(|seat| {
            seat.task.load(Relaxed).is_null()
                && seat.task.cmpxchg(ptr::null_mut(), me, Full).is_ok()
        });
        if let Some(seat) = seat {
            seat.key.store(key.as_ptr(), Release);
        }
        // INVARIANT: Just taken.
        Self(seat)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            seat.key.store(ptr::null_mut(), Relaxed);
            seat.task.store(ptr::null_mut(), Release);
        }
    }
}

/// Visits the tasks that wait for readers of `key`.
///
/// Context: in an RCU section, which keeps the tasks.
pub(crate) fn for_each(key: Key, mut visit: impl FnMut(*mut bindings::task_struct)) {
    for seat in &WAITING {
        let task = seat.task.load(Acquire);
        if seat.key.load(Acquire) == key.as_ptr()
            && !task.is_null()
            && seat.task.load(Relaxed) == task
        {
            visit(task);
        }
    }
}
