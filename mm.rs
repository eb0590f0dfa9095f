// SPDX-License-Identifier: GPL-2.0

//! What the core asks of an `mm_struct`: its two counts and its `mmap_lock`.
//!
//! C headers: `include/linux/sched/mm.h`, `include/linux/mmap_lock.h`.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    ffi::c_int,
    mm::Mm,
    sync::aref::ARef,
    types::NotThreadSafe, //
};

use crate::{
    domain::GracePeriod,
    ffi, //
};

/// `mm_users`: who uses the address space. Zero once `exit_mmap()` may run.
pub(crate) fn users(mm: &Mm) -> c_int {
    // SAFETY: `mm` is a valid `mm_struct`; its counter is only written atomically.
    unsafe { ffi::read_once(&raw const (*mm.as_raw()).__bindgen_anon_1.mm_users.counter) }
}

/// `mm_count`: who keeps the structure. Never zero while anyone may look at it.
pub(crate) fn count(mm: &Mm) -> c_int {
    // SAFETY: As in `users()`.
    unsafe {
        ffi::read_once(
            &raw const (*mm.as_raw())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .mm_count
                .counter,
        )
    }
}

/// Takes the `mm_count` pin that a subscription holds. [`unpin`] or [`unpin_after`] drops it.
pub(crate) fn pin(mm: &Mm) {
    let _ = ARef::into_raw(ARef::<Mm>::from(mm));
}

/// Drops the pin of an interval subscription, which no reader can reach any more.
///
/// # Safety
///
/// The caller gives up one [`pin`] of `mm` and does not use `mm` afterwards.
pub(crate) unsafe fn unpin(mm: NonNull<bindings::mm_struct>) {
    // SAFETY: By this function's own requirements; `Mm` is transparent.
    drop(unsafe { ARef::<Mm>::from_raw(mm.cast()) });
}

/// Drops the pin of a subscription that was unlinked before the grace period began.
///
/// # Safety
///
/// As for [`unpin`].
pub(crate) unsafe fn unpin_after(_unlinked: GracePeriod, mm: NonNull<bindings::mm_struct>) {
    // SAFETY: By this function's own requirements.
    unsafe { unpin(mm) };
}

/// Evidence that the current task holds an address space's `mmap_lock` for writing.
///
/// # Invariants
///
/// The lock of `mm` is held for writing, by the current task, for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct WriteLocked<'a> {
    mm: &'a Mm,
    _not_send: PhantomData<NotThreadSafe>,
}

impl<'a> WriteLocked<'a> {
    /// Takes the caller's word, and has the kernel warn where it is not kept.
    ///
    /// # Safety
    ///
    /// The current task must hold `mm`'s `mmap_lock` for writing for `'a`.
    pub(crate) unsafe fn assert(mm: &'a Mm) -> Self {
        // SAFETY: `mm` is valid.
        unsafe { ffi::mmn_mmap_assert_write_locked(mm.as_raw()) };
        // INVARIANT: By this function's own requirements.
        Self {
            mm,
            _not_send: PhantomData,
        }
    }

    /// The address space.
    pub(crate) fn mm(self) -> &'a Mm {
        self.mm
    }
}

/// Runs `f` with `mm`'s `mmap_lock` held for writing.
///
/// Context: sleeps. Takes `mmap_lock`.
pub(crate) fn with_write_lock<R>(mm: &Mm, f: impl FnOnce(WriteLocked<'_>) -> R) -> R {
    // SAFETY: `mm` is valid.
    unsafe { ffi::mmn_mmap_write_lock(mm.as_raw()) };
    // SAFETY: The lock was taken just above and is released only below.
    let result = f(unsafe { WriteLocked::assert(mm) });
    // SAFETY: The lock is held by this task.
    unsafe { ffi::mmn_mmap_write_unlock(mm.as_raw()) };
    result
}
