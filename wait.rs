// SPDX-License-Identifier: GPL-2.0

//! `wait_event()` on a wait queue that C code initialised.
//!
//! C header: `include/linux/wait.h`. `kernel::sync::CondVar` owns its queue; this one lies inside
//! a structure shared with C.

use core::mem::MaybeUninit;
use kernel::{
    bindings,
    ffi::c_int,
    sync::barrier::{
        smp_mb,
        Full, //
    },
    task::might_sleep, //
};

use crate::ffi;

/// Wakes all who wait, after a condition has become true.
///
/// Without a look at the queue's lock if nobody does, as mostly.
///
/// # Safety
///
/// `wq` must be an initialised wait queue.
#[inline]
pub(crate) unsafe fn wake_up_all(wq: *mut bindings::wait_queue_head) {
    // Pairs with the barrier in `prepare_to_wait_event()`: either the sleeper is seen here, or it
    // sees the condition.
    smp_mb(Full);
    // SAFETY: By this function's own requirements; links are written by untorn stores.
    unsafe {
        let head = &raw mut (*wq).head;
        if ffi::read_once(&raw const (*head).next) != head {
            bindings::__wake_up(wq, bindings::TASK_NORMAL, 0, core::ptr::null_mut());
        }
    }
}

/// Sleeps, uninterruptibly, until `condition` holds.
///
/// Whoever makes it hold must wake `wq` afterwards. `condition` must not sleep.
///
/// Context: sleeps.
///
/// # Safety
///
/// `wq` must be an initialised wait queue that stays valid throughout.
pub(crate) unsafe fn wait_event(wq: *mut bindings::wait_queue_head, condition: impl Fn() -> bool) {
    might_sleep();
    if condition() {
        return;
    }
    let mut entry = MaybeUninit::<bindings::wait_queue_entry>::uninit();
    let entry = entry.as_mut_ptr();
    // SAFETY: `entry` is valid for writes and stays on this stack until `finish_wait()` below.
    unsafe { bindings::init_wait_entry(entry, 0) };
    loop {
        // Sets the task's state before the condition is looked at, so that a wake-up between
        // the look and `schedule()` is not lost.
        //
        // SAFETY: `wq` by this function's own requirements; `entry` was initialised above.
        unsafe {
            bindings::prepare_to_wait_event(wq, entry, bindings::TASK_UNINTERRUPTIBLE as c_int)
        };
        if condition() {
            break;
        }
        // SAFETY: May sleep, by this function's context.
        unsafe { bindings::schedule() };
    }
    // SAFETY: As above; this takes `entry` off the queue.
    unsafe { bindings::finish_wait(wq, entry) };
}
