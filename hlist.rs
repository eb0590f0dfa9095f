// SPDX-License-Identifier: GPL-2.0

//! The list side: subscriptions to a whole address space.
//!
//! Readers are the VM's calls, in a section of the list's domain. A callback that sleeps keeps the
//! section, and with it whoever waits for the same address space.

use core::ptr::null;
use kernel::{
    bindings,
    error::code::EAGAIN,
    ffi::{
        c_int,
        c_ulong, //
    },
    mm::Mm,
    prelude::*,
    str::CStrExt,
    warn_on, //
};

#[cfg(CONFIG_DEBUG_ATOMIC_SLEEP)]
use crate::ffi;
use crate::{
    domain::{
        Domain,
        Section, //
    },
    range::Range,
    subscriptions::{
        Subscription,
        Subscriptions, //
    },
};

/// Calls every `release`, then empties the list.
///
/// Runs once in the life of an `mm`, from `exit_mmap()`. Registration cannot race with it, since
/// that needs `mm_users`; other callbacks can, through the reverse maps. `unregister` may be under
/// way for a subscription: whoever unlinks it first has called its `release`, and both wait for
/// the other's section below.
///
/// Context: sleeps.
pub(crate) fn release(subscriptions: &Subscriptions, mm: &Mm) {
    let domain = Domain::of(mm.as_raw());
    {
        let section = domain.read();
        for subscription in subscriptions.iter(&section) {
            call_release(subscription, mm, &section);
        }
        subscriptions.lock().unlink_all();
    }
    // No page is freed before a `release` that an unregister began has returned.
    let _ = domain.synchronize();
}

/// Calls `release`, where the driver has one.
///
/// Context: in a section of the list's domain; sleeps.
pub(crate) fn call_release(subscription: Subscription<'_>, mm: &Mm, section: &Section) {
    if let Some(release) = subscription.ops().release {
        section.note(release as *const c_void);
        // SAFETY: Both are valid; the driver's callback takes just these.
        unsafe { release(subscription.as_ptr(), mm.as_raw()) };
    }
}

/// Whether any secondary MMU has used the range; all of them forget and flush.
///
/// Context: atomic.
pub(crate) fn clear_flush_young(
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) -> bool {
    let section = Domain::of(mm.as_raw()).read();
    let mut young = false;
    for subscription in subscriptions.iter(&section) {
        if let Some(clear_flush_young) = subscription.ops().clear_flush_young {
            section.note(clear_flush_young as *const c_void);
            // SAFETY: Both are valid; the driver's callback takes just these.
            young |= unsafe { clear_flush_young(subscription.as_ptr(), mm.as_raw(), start, end) };
        }
    }
    young
}

/// Whether any secondary MMU has used the range; all of them forget, and need not flush.
///
/// Context: atomic.
pub(crate) fn clear_young(
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) -> bool {
    let section = Domain::of(mm.as_raw()).read();
    let mut young = false;
    for subscription in subscriptions.iter(&section) {
        if let Some(clear_young) = subscription.ops().clear_young {
            section.note(clear_young as *const c_void);
            // SAFETY: Both are valid; the driver's callback takes just these.
            young |= unsafe { clear_young(subscription.as_ptr(), mm.as_raw(), start, end) };
        }
    }
    young
}

/// Whether any secondary MMU has used the page; the first that has ends the walk.
///
/// Context: atomic.
pub(crate) fn test_young(subscriptions: &Subscriptions, mm: &Mm, address: c_ulong) -> bool {
    let section = Domain::of(mm.as_raw()).read();
    // Not `Iterator::any`, to keep the guard plainly around the calls.
    for subscription in subscriptions.iter(&section) {
        if let Some(test_young) = subscription.ops().test_young {
            section.note(test_young as *const c_void);
            // SAFETY: Both are valid; the driver's callback takes just these.
            if unsafe { test_young(subscription.as_ptr(), mm.as_raw(), address) } {
                return true;
            }
        }
    }
    false
}

/// Calls every `invalidate_range_start`.
///
/// All are called even after one has said `EAGAIN`; then those that have an
/// `invalidate_range_end` get it at once, because the caller will not call it. One that may fail
/// must not have one: it would get an end whose start it refused.
///
/// # Errors
///
/// What the last failing callback returned. Only a range that is not blockable may fail.
///
/// Context: sleeps if the range is blockable.
pub(crate) fn invalidate_range_start(subscriptions: &Subscriptions, range: Range<'_>) -> c_int {
    let section = Domain::of(range.mm()).read();
    let mut result = 0;
    for subscription in subscriptions.iter(&section) {
        let Some(start) = subscription.ops().invalidate_range_start else {
            continue;
        };
        section.note(start as *const c_void);
        let ret = blockable_as(range, || {
            // SAFETY: Both are valid; the driver's callback takes just these.
            unsafe { start(subscription.as_ptr(), range.as_ptr()) }
        });
        if ret != 0 {
            warn_of_refusal(subscription, ret, range);
            result = ret;
        }
    }
    if result != 0 {
        end_what_was_refused(&section, range);
    }
    result
}

/// Says who refused, and warns if it must not have.
#[cold]
#[inline(never)]
fn warn_of_refusal(subscription: Subscription<'_>, ret: c_int, range: Range<'_>) {
    let ops = subscription.ops();
    let start = ops
        .invalidate_range_start
        .map_or(null(), |start| start as *const c_void);
    report_failed_start(start, ret, range);
    warn_on!(range.blockable() || ret != EAGAIN.to_errno());
    warn_on!(ops.invalidate_range_end.is_some());
}

/// Calls every `invalidate_range_end` of a range that one has refused.
#[cold]
#[inline(never)]
fn end_what_was_refused(section: &Section, range: Range<'_>) {
    // SAFETY: The VM calls for an `mm` with subscriptions only.
    let subscriptions = unsafe { Subscriptions::of_subscribed(range.mm()) };
    for subscription in subscriptions.iter(section) {
        if let Some(end) = subscription.ops().invalidate_range_end {
            section.note(end as *const c_void);
            // SAFETY: Both are valid; the driver's callback takes just these.
            unsafe { end(subscription.as_ptr(), range.as_ptr()) };
        }
    }
}

/// Calls every `invalidate_range_end`.
///
/// Context: sleeps if the range is blockable.
pub(crate) fn invalidate_range_end(subscriptions: &Subscriptions, range: Range<'_>) {
    let section = Domain::of(range.mm()).read();
    for subscription in subscriptions.iter(&section) {
        if let Some(end) = subscription.ops().invalidate_range_end {
            section.note(end as *const c_void);
            blockable_as(range, || {
                // SAFETY: Both are valid; the driver's callback takes just these.
                unsafe { end(subscription.as_ptr(), range.as_ptr()) }
            });
        }
    }
}

/// Calls every `arch_invalidate_secondary_tlbs`.
///
/// Context: atomic; page-table locks may be held.
pub(crate) fn arch_invalidate_secondary_tlbs(
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) {
    let section = Domain::of(mm.as_raw()).read();
    for subscription in subscriptions.iter(&section) {
        if let Some(invalidate) = subscription.ops().arch_invalidate_secondary_tlbs {
            section.note(invalidate as *const c_void);
            // SAFETY: Both are valid; the driver's callback takes just these.
            unsafe { invalidate(subscription.as_ptr(), mm.as_raw(), start, end) };
        }
    }
}

/// Calls a callback so that a debug kernel reports it if it sleeps where it must not.
#[inline]
fn blockable_as<R>(range: Range<'_>, callback: impl FnOnce() -> R) -> R {
    #[cfg(CONFIG_DEBUG_ATOMIC_SLEEP)]
    if !range.blockable() {
        // SAFETY: No preconditions; paired below.
        unsafe { ffi::mmn_non_block_start() };
        let result = callback();
        // SAFETY: Pairs with the start above.
        unsafe { ffi::mmn_non_block_end() };
        return result;
    }
    let _ = range;
    callback()
}

/// Names the driver that refused, in C's words.
fn report_failed_start(callback: *const c_void, ret: c_int, range: Range<'_>) {
    let non = if range.blockable() { c"" } else { c"non-" };
    // SAFETY: The format takes a pointer (as a symbol), an int and a string.
    unsafe {
        bindings::_printk(
            c"\x016%pS callback failed with %d in %sblockable context.\n".as_char_ptr(),
            callback,
            ret,
            non.as_char_ptr(),
        )
    };
}
