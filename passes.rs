// SPDX-License-Identifier: GPL-2.0

//! The second passes of an invalidation: first all drivers begin, and only then each waits.

use core::{
    ffi::c_void,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    container_of, //
};

use crate::{
    ffi,
    observe,
    range::Range,
    slots::Claim,
    warn_on_once, //
};

/// The second passes that callbacks have asked for, in the order of the first ones.
///
/// # Invariants
///
/// From `head`, `link.next` leads over valid objects to null; `tail` is the last of them.
pub(crate) struct FinishPasses {
    head: *mut bindings::mmu_interval_notifier_finish,
    tail: *mut bindings::mmu_interval_notifier_finish,
}

impl FinishPasses {
    /// None yet.
    pub(crate) const fn new() -> Self {
        // INVARIANT: An empty list.
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        }
    }

    /// Adds what `sub`'s first pass has returned.
    ///
    /// # Safety
    ///
    /// `finish` must be valid until it has been given to the driver's second pass.
    pub(crate) unsafe fn push(
        &mut self,
        finish: NonNull<bindings::mmu_interval_notifier_finish>,
        sub: NonNull<bindings::mmu_interval_notifier>,
    ) {
        let finish = finish.as_ptr();
        // INVARIANT: `finish` becomes the last one.
        // SAFETY: By this function's own requirements and the type invariant.
        unsafe {
            (*finish).notifier = sub.as_ptr();
            (*finish).link.next = ptr::null_mut();
            if self.tail.is_null() {
                self.head = finish;
            } else {
                (*self.tail).link.next = &raw mut (*finish).link;
            }
        }
        self.tail = finish;
    }

    /// Runs the second passes, each after it has been noted.
    ///
    /// Context: as for the first ones, while `range` is active.
    #[inline(always)]
    pub(crate) fn run<const OBSERVED: bool>(self, range: Range<'_>, seen: &Claim) {
        let mut next = self.head;
        while !next.is_null() {
            let finish = next;
            // SAFETY: By the type invariant. The successor is read first, since the driver may
            // free `finish`; the subscription is valid while the invalidation runs.
            unsafe {
                let link = (*finish).link.next;
                next = if link.is_null() {
                    ptr::null_mut()
                } else {
                    container_of!(link, bindings::mmu_interval_notifier_finish, link)
                };
                let sub = (*finish).notifier;
                if let Some(invalidate_finish) = (*(*sub).ops).invalidate_finish {
                    let callback = invalidate_finish as *const c_void;
                    seen.note(callback);
                    observe::call::<OBSERVED, _>(
                        sub.cast(),
                        || invalidate_finish(finish),
                        |(), time| {
                            let range = range.as_ptr();
                            ffi::mmn_trace_invalidate_finish(range, sub.cast(), callback, time)
                        },
                    );
                } else {
                    warn_on_once!(true);
                }
            }
        }
    }
}
