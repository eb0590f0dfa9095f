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

use crate::{
    domain::{
        Domain,
        Section, //
    },
    ffi,
    observe,
    range::Range,
    subscriptions::{
        Subscription,
        Subscriptions, //
    }, //
};

/// Runs a walk in a section of a domain.
///
/// It is there twice: for when nothing is to be heeded, which costs the hooks that are called most
/// no more than to find that out, and for all other times.
macro_rules! in_section {
    ($domain:expr, $walk:ident($($arg:expr),*)) => {{
        let domain = $domain;
        match domain.read_plain() {
            Some(section) => $walk::<false>(&section, $($arg),*),
            None => in_any_section(domain, |section| $walk::<true>(section, $($arg),*)),
        }
    }};
}

#[cold]
#[inline(never)]
fn in_any_section<R>(domain: Domain, walk: impl FnOnce(&Section) -> R) -> R {
    let section = domain.read();
    walk(&section)
}

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
            call_release::<true>(subscription, mm, &section);
        }
        subscriptions.lock().unlink_all();
    }
    // No page is freed before a `release` that an unregister began has returned.
    let _ = domain.synchronize_observed();
}

/// Calls `release`, where the driver has one.
///
/// Context: in a section of the list's domain; sleeps.
#[inline(always)]
pub(crate) fn call_release<const OBSERVED: bool>(
    subscription: Subscription<'_>,
    mm: &Mm,
    section: &Section,
) {
    if let Some(release) = subscription.ops().release {
        section.note(release as *const c_void);
        observe::call::<OBSERVED, _>(
            subscription.key(),
            // SAFETY: Both are valid; the driver's callback takes just these.
            || unsafe { release(subscription.as_ptr(), mm.as_raw()) },
            // SAFETY: `mm` is valid, and the others are not looked into.
            |(), time| unsafe {
                let release = release as *const c_void;
                ffi::mmn_trace_release(mm.as_raw(), subscription.key(), release, time)
            },
        );
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
    in_section!(
        Domain::of(mm.as_raw()),
        walk_clear_flush_young(subscriptions, mm, start, end)
    )
}

#[inline(always)]
fn walk_clear_flush_young<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) -> bool {
    let mut young = false;
    for subscription in subscriptions.iter(section) {
        if let Some(clear_flush_young) = subscription.ops().clear_flush_young {
            let callback = clear_flush_young as *const c_void;
            section.note(callback);
            let key = subscription.key();
            young |= observe::call::<OBSERVED, _>(
                key,
                // SAFETY: Both are valid; the driver's callback takes just these.
                || unsafe { clear_flush_young(subscription.as_ptr(), mm.as_raw(), start, end) },
                // SAFETY: `mm` is valid, and the others are not looked into.
                |young, time| unsafe {
                    let mm = mm.as_raw();
                    ffi::mmn_trace_clear_flush_young(mm, key, callback, start, end, young, time)
                },
            );
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
    in_section!(
        Domain::of(mm.as_raw()),
        walk_clear_young(subscriptions, mm, start, end)
    )
}

#[inline(always)]
fn walk_clear_young<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) -> bool {
    let mut young = false;
    for subscription in subscriptions.iter(section) {
        if let Some(clear_young) = subscription.ops().clear_young {
            let callback = clear_young as *const c_void;
            section.note(callback);
            let key = subscription.key();
            young |= observe::call::<OBSERVED, _>(
                key,
                // SAFETY: Both are valid; the driver's callback takes just these.
                || unsafe { clear_young(subscription.as_ptr(), mm.as_raw(), start, end) },
                // SAFETY: `mm` is valid, and the others are not looked into.
                |young, time| unsafe {
                    let mm = mm.as_raw();
                    ffi::mmn_trace_clear_young(mm, key, callback, start, end, young, time)
                },
            );
        }
    }
    young
}

/// Whether any secondary MMU has used the page; the first that has ends the walk.
///
/// Context: atomic.
pub(crate) fn test_young(subscriptions: &Subscriptions, mm: &Mm, address: c_ulong) -> bool {
    in_section!(
        Domain::of(mm.as_raw()),
        walk_test_young(subscriptions, mm, address)
    )
}

#[inline(always)]
fn walk_test_young<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    mm: &Mm,
    address: c_ulong,
) -> bool {
    // Not `Iterator::any`, to keep the guard plainly around the calls.
    for subscription in subscriptions.iter(section) {
        if let Some(test_young) = subscription.ops().test_young {
            let callback = test_young as *const c_void;
            section.note(callback);
            let key = subscription.key();
            let young = observe::call::<OBSERVED, _>(
                key,
                // SAFETY: Both are valid; the driver's callback takes just these.
                || unsafe { test_young(subscription.as_ptr(), mm.as_raw(), address) },
                // SAFETY: `mm` is valid, and the others are not looked into.
                |young, time| unsafe {
                    ffi::mmn_trace_test_young(mm.as_raw(), key, callback, address, young, time)
                },
            );
            if young {
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
    in_section!(
        Domain::of(range.mm()),
        walk_range_start(subscriptions, range)
    )
}

#[inline(always)]
fn walk_range_start<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    range: Range<'_>,
) -> c_int {
    let mut result = 0;
    for subscription in subscriptions.iter(section) {
        let Some(start) = subscription.ops().invalidate_range_start else {
            continue;
        };
        let callback = start as *const c_void;
        section.note(callback);
        let ret = observe::call::<OBSERVED, _>(
            subscription.key(),
            || {
                blockable_as(range, || {
                    // SAFETY: Both are valid; the driver's callback takes just these.
                    unsafe { start(subscription.as_ptr(), range.as_ptr()) }
                })
            },
            // SAFETY: The range is valid, and the others are not looked into.
            |ret, time| unsafe {
                let key = subscription.key();
                ffi::mmn_trace_range_start(range.as_ptr(), key, callback, ret, time)
            },
        );
        if ret != 0 {
            result = refused(subscription, ret, range, result);
        }
    }
    if result != 0 {
        end_what_was_refused(section, range);
    }
    result
}

/// Says who refused, and warns if it must not have. Returns what the range comes to, which was
/// `result` before.
#[cold]
#[inline(never)]
fn refused(subscription: Subscription<'_>, ret: c_int, range: Range<'_>, result: c_int) -> c_int {
    let ops = subscription.ops();
    let start = ops
        .invalidate_range_start
        .map_or(null(), |start| start as *const c_void);
    report_failed_start(start, ret, range);
    warn_on!(range.blockable() || ret != EAGAIN.to_errno());
    warn_on!(ops.invalidate_range_end.is_some());
    // The VM goes on with a range that is blockable whatever is said here, and ends it: an end that
    // came of this would be a second one.
    if range.blockable() {
        result
    } else {
        ret
    }
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
            observe::call::<true, _>(
                subscription.key(),
                // SAFETY: Both are valid; the driver's callback takes just these.
                || unsafe { end(subscription.as_ptr(), range.as_ptr()) },
                |(), time| tell_of_end(subscription, range, time),
            );
        }
    }
}

/// Tells observers that an `invalidate_range_end` has returned.
fn tell_of_end(subscription: Subscription<'_>, range: Range<'_>, time: u64) {
    let end = subscription.ops().invalidate_range_end;
    let callback = end.map_or(null(), |end| end as *const c_void);
    // SAFETY: The range is valid, and the others are not looked into.
    unsafe { ffi::mmn_trace_range_end(range.as_ptr(), subscription.key(), callback, time) };
}

/// Calls every `invalidate_range_end`.
///
/// Context: sleeps if the range is blockable.
pub(crate) fn invalidate_range_end(subscriptions: &Subscriptions, range: Range<'_>) {
    in_section!(Domain::of(range.mm()), walk_range_end(subscriptions, range))
}

#[inline(always)]
fn walk_range_end<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    range: Range<'_>,
) {
    for subscription in subscriptions.iter(section) {
        if let Some(end) = subscription.ops().invalidate_range_end {
            section.note(end as *const c_void);
            observe::call::<OBSERVED, _>(
                subscription.key(),
                || {
                    blockable_as(range, || {
                        // SAFETY: Both are valid; the driver's callback takes just these.
                        unsafe { end(subscription.as_ptr(), range.as_ptr()) }
                    })
                },
                |(), time| tell_of_end(subscription, range, time),
            );
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
    in_section!(
        Domain::of(mm.as_raw()),
        walk_secondary_tlbs(subscriptions, mm, start, end)
    )
}

#[inline(always)]
fn walk_secondary_tlbs<const OBSERVED: bool>(
    section: &Section,
    subscriptions: &Subscriptions,
    mm: &Mm,
    start: c_ulong,
    end: c_ulong,
) {
    for subscription in subscriptions.iter(section) {
        if let Some(invalidate) = subscription.ops().arch_invalidate_secondary_tlbs {
            let callback = invalidate as *const c_void;
            section.note(callback);
            let key = subscription.key();
            observe::call::<OBSERVED, _>(
                key,
                // SAFETY: Both are valid; the driver's callback takes just these.
                || unsafe { invalidate(subscription.as_ptr(), mm.as_raw(), start, end) },
                // SAFETY: `mm` is valid, and the others are not looked into.
                |(), time| unsafe {
                    ffi::mmn_trace_secondary_tlbs(mm.as_raw(), key, callback, start, end, time)
                },
            );
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

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/hlist.rs"]
mod tests;
