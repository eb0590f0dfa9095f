// SPDX-License-Identifier: GPL-2.0

//! How old subscriptions are.
//!
//! They are the drivers' and of C's layout, and have no room. But each has a word that is written
//! only once it goes: of `rcu` (list side) or of `deferred_item` (interval side). While it stays
//! it holds the time of its registration, in ticks since a secret moment, which tells it from what
//! else may be there. C neither reads nor minds it.
//!
//! Times are good in native mode only, and for those that registered since it began: only then is
//! every registration and every end of one ours. Each time it begins it has another secret.

use kernel::{
    bindings,
    ffi::c_ulong,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

use crate::{
    ffi,
    mode,
    ticks::jiffies, //
};

/// Something that is read all the time, in a line of the cache without what others write.
#[repr(align(64))]
pub(crate) struct Line<T>(pub(crate) T);

/// What is added to each time.
static SECRET: Line<Atomic<usize>> = Line(Atomic::<usize>::new(0));
/// When there was a new secret.
static SINCE: Atomic<usize> = Atomic::<usize>::new(0);

/// Makes all times so far unknown.
pub(crate) fn renew() {
    SINCE.store(jiffies(), Relaxed);
    // SAFETY: No preconditions.
    let secret = unsafe { bindings::get_random_u64() } as usize;
    SECRET.0.store(secret, Relaxed);
}

/// What a subscription that is being registered is to keep.
#[inline(always)]
pub(crate) fn now<T>() -> *mut T {
    // SAFETY: Written by untorn stores only. (An atomic load would be a call out of line.)
    let secret = unsafe { ffi::read_once(SECRET.0.as_ptr()) };
    core::ptr::without_provenance_mut(jiffies().wrapping_add(secret))
}

/// The age in ticks of a subscription that keeps `word`, if it is known.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
pub(crate) fn of<T>(word: *mut T) -> Option<c_ulong> {
    let now = jiffies();
    let age = now.wrapping_sub(word.addr().wrapping_sub(SECRET.0.load(Relaxed)));
    (mode::is_native() && age <= now.wrapping_sub(SINCE.load(Relaxed))).then_some(age)
}
