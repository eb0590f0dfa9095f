// SPDX-License-Identifier: GPL-2.0

//! Looks up the page behind a user address.

use core::{
    mem::MaybeUninit,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    mm::MmWithUser,
    prelude::*, //
};

use crate::ffi;

pub use kernel::page::PAGE_SIZE;

/// What a translation is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To read.
    Read,
    /// To read and write.
    Write,
}

/// A page that was found behind an address, for as long as it takes to enter it.
///
/// # Invariants
///
/// Holds a reference on the page.
pub(crate) struct UserPage(NonNull<bindings::page>);

impl UserPage {
    /// Looks up the page at `addr`, and faults it in if need be.
    ///
    /// # Errors
    ///
    /// `EFAULT` where nothing is mapped, where `access` is not allowed, and for memory that has no
    /// pages; `EINTR` for a signal; `ENOMEM`.
    ///
    /// Context: sleeps; takes the mmap lock of `mm`.
    #[inline]
    pub(crate) fn get(mm: &MmWithUser, addr: usize, access: Access) -> Result<Self> {
        let mut page = MaybeUninit::<*mut bindings::page>::uninit();
        // SAFETY: `mm` has users, and the slot is ours.
        to_result(unsafe {
            ffi::mmu_notifier_helper_get_user_page(
                mm.as_raw(),
                addr,
                access == Access::Write,
                page.as_mut_ptr(),
            )
        })?;
        // INVARIANT: The call has taken the reference.
        // SAFETY: It wrote the page, since it succeeded.
        NonNull::new(unsafe { page.assume_init() })
            .map(UserPage)
            .ok_or(EFAULT)
    }

    /// The addresses that a flush of the page, found at `addr`, may name instead of its own.
    #[inline]
    pub(crate) fn flushed_with(&self, addr: usize) -> Range<usize> {
        // SAFETY: By the type invariants the page is there.
        let size = unsafe { ffi::mmu_notifier_helper_entry_size(self.0.as_ptr()) };
        let start = addr & !(size - 1);
        start..start.saturating_add(size)
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> NonNull<bindings::page> {
        self.0
    }
}

impl Drop for UserPage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours to give back.
        unsafe { ffi::mmu_notifier_helper_put_page(self.0.as_ptr()) };
    }
}
