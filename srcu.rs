// SPDX-License-Identifier: GPL-2.0

//! The SRCU domain behind the subscription lists.
//!
//! `kernel::sync::Srcu` owns its `srcu_struct` and has neither `call_srcu()` nor `srcu_barrier()`
//! to offer; the domain here is one that the kernel (or later an `mm`) owns.
//!
//! C header: `include/linux/srcu.h`.

use core::ptr::NonNull;
use kernel::{
    bindings,
    types::NotThreadSafe, //
};

use crate::ffi;

/// An SRCU domain: readers walk a subscription list, writers wait for them.
///
/// # Invariants
///
/// The pointee is an initialised `srcu_struct` that outlives every use of this value.
#[derive(Clone, Copy)]
pub(crate) struct Domain(NonNull<bindings::srcu_struct>);

impl Domain {
    /// The kernel's own domain, the one that `mm/mmu_notifier.c` uses for every `mm`.
    #[inline]
    pub(crate) fn global() -> Self {
        // SAFETY: The slot is written once, by the module loader (or the linker) before any of
        // this crate's code runs.
        let ptr = unsafe { ffi::mmn_global_srcu };
        // INVARIANT: `srcu` is a static, statically initialised object of vmlinux.
        // SAFETY: A relocation that cannot be resolved refuses the load, so it is not null.
        Self(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Enters a read-side critical section; it ends when the guard is dropped.
    ///
    /// Context: any but NMI. The section may sleep if its surroundings may.
    #[inline]
    pub(crate) fn read(self) -> Guard {
        // SAFETY: By the type invariant.
        let idx = unsafe { bindings::srcu_read_lock(self.0.as_ptr()) };
        // INVARIANT: `idx` is what the lock returned for this domain.
        Guard {
            domain: self,
            idx,
            _not_send: NotThreadSafe,
        }
    }

    /// Waits until every section that had begun before this call has ended.
    ///
    /// Context: sleeps. Must not be called within a section of this domain.
    pub(crate) fn synchronize(self) -> GracePeriod {
        // SAFETY: By the type invariant.
        unsafe { bindings::synchronize_srcu(self.0.as_ptr()) };
        GracePeriod(())
    }

    /// Has `func(head)` called once every section that had begun before this call has ended.
    ///
    /// Context: any; `func` runs in process context with bottom halves off and must not sleep.
    ///
    /// # Safety
    ///
    /// `head` must be valid, unused by other callbacks, and stay so until `func` is called. The
    /// text of `func` must stay until a [`Domain::barrier`] after this call has returned.
    pub(crate) unsafe fn call(
        self,
        head: *mut bindings::callback_head,
        func: unsafe extern "C" fn(*mut bindings::callback_head),
    ) {
        // SAFETY: By the type invariant and this function's own requirements.
        unsafe { bindings::call_srcu(self.0.as_ptr(), head, Some(func)) };
    }

    /// Waits until every callback of an earlier [`Domain::call`] has run.
    ///
    /// Context: sleeps. Must not be called within a section of this domain.
    pub(crate) fn barrier(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::srcu_barrier(self.0.as_ptr()) };
    }
}

/// Proof that a grace period has elapsed since it was asked for.
#[must_use = "what was unlinked before the grace period may be released now"]
pub(crate) struct GracePeriod(());

/// A read-side critical section of a [`Domain`].
///
/// # Invariants
///
/// `idx` is the index that `srcu_read_lock()` returned for `domain`, and is unlocked only on drop.
#[must_use = "the section ends when the guard is dropped"]
pub(crate) struct Guard {
    domain: Domain,
    idx: i32,
    _not_send: NotThreadSafe,
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this index is locked and belongs to this domain.
        unsafe { bindings::srcu_read_unlock(self.domain.0.as_ptr(), self.idx) };
    }
}
