// SPDX-License-Identifier: GPL-2.0

//! Subscriptions that were put, and are freed once no reader can have them any more.
//!
//! While the module is compatible SRCU frees them, as in C. In native mode they are pending here,
//! and [`crate::monitor`] frees them: it waits for nobody, so that a reader that is stuck in one
//! address space does not hold up what was put in another.

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    container_of, //
};

use crate::{
    account,
    domain::Domain,
    ffi,
    mm,
    mode,
    observe,
    slots::Key,
    srcu, //
};

type Notifier = bindings::mmu_notifier;
type Head = bindings::callback_head;

/// Has a subscription freed once no reader has it any more.
///
/// Context: any but interrupts; never sleeps.
///
/// # Safety
///
/// `subscription` must be valid, unlinked, and used by nobody but readers; it keeps its `mm`.
pub(crate) unsafe fn free_later(subscription: NonNull<Notifier>) {
    // SAFETY: By this function's own requirements. The section keeps it from being freed under us.
    let (mm, head) = unsafe {
        (
            (*subscription.as_ptr()).mm,
            &raw mut (*subscription.as_ptr()).rcu,
        )
    };
    // Who changes the mode waits for this section, and finds it in either queue afterwards.
    let _section = Domain::of(mm).read();
    if mode::is_native() {
        // SAFETY: The head is the subscription's own, for this use.
        unsafe { ffi::mmn_pending_add(head) };
    } else {
        // Readers that began in native mode have a stand-in in that domain.
        //
        // SAFETY: As above. The module's exit waits for all callbacks.
        unsafe { srcu::Global::get().call(head, free_by_srcu) };
    }
}

/// Frees a subscription that nobody can reach any more.
///
/// # Safety
///
/// `head` must be that of a subscription given to [`free_later`] a grace period ago.
unsafe fn free(head: *mut Head) {
    // SAFETY: By this function's own requirements.
    unsafe {
        let subscription = container_of!(head, Notifier, rcu);
        let mm = (*subscription).mm;
        if observe::is_on() {
            account::forget(subscription.cast());
            observe::tell_of(ffi::mmn_trace_free, subscription);
        }
        if let Some(free) = (*(*subscription).ops).free_notifier {
            free(subscription);
        }
        // Gives up the registration's pin.
        mm::unpin(NonNull::new_unchecked(mm));
    }
}

/// As SRCU calls it.
///
/// # Safety
///
/// As for [`free`].
unsafe extern "C" fn free_by_srcu(head: *mut Head) {
    // SAFETY: By this function's own requirements.
    unsafe { free(head) };
}

/// What is pending, in the hands of the monitor.
///
/// # Invariants
///
/// From `first`, `next` leads over the heads of subscriptions given to [`free_later`] to null. The
/// word `func` of each is the number of the pass that took it: no reader has it that was not in
/// its slot when that pass looked.
pub(crate) struct Pending {
    first: *mut Head,
}

impl Pending {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Empty.
        Self {
            first: ptr::null_mut(),
        }
    }

    /// Whether nothing is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Takes what was put lately, as the pass `pass` begins. Slots are to be looked at afterwards.
    pub(crate) fn take_new(&mut self, pass: usize) {
        // SAFETY: No preconditions.
        let mut new = unsafe { ffi::mmn_pending_take_all() };
        while let Some(head) = NonNull::new(new) {
            // INVARIANT: In front of the others, with the number of the pass.
            // SAFETY: Taken from the queue, so this is the only user of the head.
            unsafe {
                new = (*head.as_ptr()).next;
                stamp(head).write(pass);
                (*head.as_ptr()).next = self.first;
            }
            self.first = head.as_ptr();
        }
    }

    /// Frees what no reader has any more; returns the earliest pass of what is left.
    ///
    /// `has_reader(key, pass)` tells if somebody who reads `key` was in a slot at the pass.
    pub(crate) fn free_ready(&mut self, has_reader: impl Fn(Key, usize) -> bool) -> Option<usize> {
        let mut link = &raw mut self.first;
        let mut earliest: Option<usize> = None;
        // SAFETY: By the type invariant; `link` is what leads to the head, and freed heads are
        // left out first.
        unsafe {
            while let Some(head) = NonNull::new(*link) {
                let pass = stamp(head).read();
                let mm = (*container_of!(head.as_ptr(), Notifier, rcu)).mm;
                if has_reader(Key::list_of(mm), pass) {
                    earliest = Some(earliest.map_or(pass, |earliest| earliest.min(pass)));
                    link = &raw mut (*head.as_ptr()).next;
                } else {
                    *link = (*head.as_ptr()).next;
                    // As SRCU would have it, which drivers may rely on.
                    ffi::mmn_bh_disable();
                    free(head.as_ptr());
                    ffi::mmn_bh_enable();
                }
            }
        }
        earliest
    }
}

/// Where the number of the pass is kept: nobody is to call `func`.
fn stamp(head: NonNull<Head>) -> *mut usize {
    // SAFETY: This only computes an address.
    unsafe { (&raw mut (*head.as_ptr()).func).cast() }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/pending.rs"]
mod tests;
