// SPDX-License-Identifier: GPL-2.0

//! The kernel's own SRCU domain, with which `mm/mmu_notifier.c` protects every list.
//!
//! Readers and waiters of this crate share it while C may serve as well, see [`crate::domain`].
//! `kernel::sync::Srcu` owns its `srcu_struct` and has no `call_srcu()` to offer.
//!
//! C header: `include/linux/srcu.h`.

use core::ptr::NonNull;
use kernel::bindings;

use crate::ffi;

/// The one domain of the C core.
///
/// # Invariants
///
/// The pointee is an initialised `srcu_struct` that outlives every use of this value.
#[derive(Clone, Copy)]
pub(crate) struct Global(NonNull<bindings::srcu_struct>);

/// A section of the domain that has been entered.
#[derive(Clone, Copy)]
#[must_use = "the section ends when it is left"]
pub(crate) struct Index(i32);

impl Index {
    /// As a number that is not negative.
    pub(crate) fn into_raw(self) -> usize {
        self.0 as usize
    }

    /// The index that [`Self::into_raw`] made a number of.
    pub(crate) fn from_raw(raw: usize) -> Self {
        Self(raw as i32)
    }
}

impl Global {
    /// The domain.
    pub(crate) fn get() -> Self {
        // SAFETY: The slot is written once, by the module loader (or the linker) before any of
        // this crate's code runs.
        let ptr = unsafe { ffi::mmn_global_srcu };
        // INVARIANT: `srcu` is a static, statically initialised object of vmlinux.
        // SAFETY: A relocation that cannot be resolved refuses the load, so it is not null.
        Self(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Enters a read-side critical section.
    ///
    /// Context: any but NMI. The section may sleep if its surroundings may.
    pub(crate) fn enter(self) -> Index {
        // SAFETY: By the type invariant.
        Index(unsafe { ffi::mmn_srcu_read_lock(self.0.as_ptr()) })
    }

    /// Leaves a section.
    ///
    /// # Safety
    ///
    /// `index` must come from [`Self::enter`] in this task, and not have been left.
    pub(crate) unsafe fn leave(self, index: Index) {
        // SAFETY: By this function's own requirements.
        unsafe { ffi::mmn_srcu_read_unlock(self.0.as_ptr(), index.0) };
    }

    /// Enters a section that another task leaves.
    pub(crate) fn down_read(self) -> Index {
        // SAFETY: By the type invariant.
        Index(unsafe { ffi::mmn_srcu_down_read(self.0.as_ptr()) })
    }

    /// Leaves a section that another task may have entered.
    ///
    /// # Safety
    ///
    /// `index` must come from [`Self::down_read`], and not have been left.
    pub(crate) unsafe fn up_read(self, index: Index) {
        // SAFETY: By this function's own requirements.
        unsafe { ffi::mmn_srcu_up_read(self.0.as_ptr(), index.0) };
    }

    /// Waits until every section that had begun before this call has ended.
    ///
    /// Context: sleeps. Must not be called within a section of this domain.
    pub(crate) fn synchronize(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::synchronize_srcu(self.0.as_ptr()) };
    }

    /// Has `func(head)` called once every section that had begun before this call has ended.
    ///
    /// Context: any; `func` runs in process context with bottom halves off and must not sleep.
    ///
    /// # Safety
    ///
    /// `head` must be valid, unused by other callbacks, and stay so until `func` is called. The
    /// text of `func` must stay until a [`Self::barrier`] after this call has returned.
    pub(crate) unsafe fn call(
        self,
        head: *mut bindings::callback_head,
        func: unsafe extern "C" fn(*mut bindings::callback_head),
    ) {
        // SAFETY: By the type invariant and this function's own requirements.
        unsafe { bindings::call_srcu(self.0.as_ptr(), head, Some(func)) };
    }

    /// Waits until every callback of an earlier [`Self::call`] has run.
    ///
    /// Context: sleeps. Must not be called within a section of this domain.
    pub(crate) fn barrier(self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::srcu_barrier(self.0.as_ptr()) };
    }
}
