// SPDX-License-Identifier: GPL-2.0

//! `wait_event()` on a wait queue that C code initialised.
//!
//! C header: `include/linux/wait.h`. `kernel::sync::CondVar` owns its queue; this one lies inside
//! a structure shared with C.

use core::mem::MaybeUninit;
use kernel::{
    bindings,
    ffi::c_int,
    task::might_sleep, //
};

use crate::ffi;

/// Whether somebody waits.
///
/// Exact for those whose condition is guarded by a lock that the caller holds.
///
/// # Safety
///
/// `wq` must be an initialised wait queue.
#[inline]
pub(crate) unsafe fn has_sleeper(wq: *mut bindings::wait_queue_head) -> bool {
    // SAFETY: By this function's own requirements; links are written by untorn stores.
    unsafe {
        let head = &raw mut (*wq).head;
        ffi::read_once(&raw const (*head).next) != head
    }
}

/// Wakes all who wait, after a condition has become true.
///
/// # Safety
///
/// `wq` must be an initialised wait queue.
pub(crate) unsafe fn wake_up_all(wq: *mut bindings::wait_queue_head) {
    // SAFETY: By this function's own requirements.
    unsafe { bindings::__wake_up(wq, bindings::TASK_NORMAL, 0, core::ptr::null_mut()) };
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
