// SPDX-License-Identifier: GPL-2.0

//! A notifier with a single callback, on top of the range model.

use core::ops::{
    Deref,
    Range as Span, //
};
use kernel::{
    mm::MmWithUser,
    prelude::*, //
};
use mmu_notifier::{
    Range,
    RangeOps,
    RangeSubscription, //
};

/// What happens to the addresses that come with it.
pub(crate) enum Operation<'a, 'r> {
    /// The address space dies.
    Release,
    /// The pages are about to change or go; no translation may be made until the end.
    ///
    /// The VM's own range tells why, and whether the callback may sleep.
    InvalidateStart(&'a Range<'r>),
    /// The change is done.
    InvalidateEnd(&'a Range<'r>),
    /// Were the pages used? Tests and clears.
    Referenced,
}

/// A user of an address space that is told everything through one function.
pub(crate) trait Emm: Send + Sync + Sized + 'static {
    /// `operation` happens to `range`. The answer counts for [`Operation::Referenced`] only.
    ///
    /// Context: atomic for [`Operation::Referenced`], may sleep for [`Operation::Release`]; the
    /// other two as [`Range::blockable`] says.
    fn callback(&self, operation: Operation<'_, '_>, range: Span<usize>) -> bool;
}

/// The callbacks of the range model as calls of the one function.
#[pin_data]
struct Adapter<T> {
    #[pin]
    user: T,
}

#[vtable]
impl<T: Emm> RangeOps for Adapter<T> {
    fn invalidate_range_start(&self, range: &Range<'_>) {
        let span = range.start()..range.end();
        self.user.callback(Operation::InvalidateStart(range), span);
    }

    fn invalidate_range_end(&self, range: &Range<'_>) {
        let span = range.start()..range.end();
        self.user.callback(Operation::InvalidateEnd(range), span);
    }

    fn clear_flush_young(&self, start: usize, end: usize) -> bool {
        self.user.callback(Operation::Referenced, start..end)
    }

    // The single callback knows no cheaper question.
    fn clear_young(&self, start: usize, end: usize) -> bool {
        self.user.callback(Operation::Referenced, start..end)
    }

    fn release(&self) {
        self.user.callback(Operation::Release, 0..usize::MAX);
    }
}

/// A user that is subscribed; dropping it unsubscribes.
///
/// Context of the drop: sleeps, as that of a [`RangeSubscription`].
#[pin_data]
pub(crate) struct EmmSubscription<T: Emm> {
    #[pin]
    inner: RangeSubscription<Adapter<T>>,
}

impl<T: Emm> EmmSubscription<T> {
    /// Subscribes `user` to what happens to `mm`.
    ///
    /// # Errors
    ///
    /// `EINTR`, `ENOMEM`; the error of `user`.
    ///
    /// Context: sleeps.
    pub(crate) fn register<'a>(
        mm: &'a MmWithUser,
        user: impl PinInit<T, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            inner <- RangeSubscription::register(
                mm,
                try_pin_init!(Adapter { user <- user }? Error),
            ),
        }? Error)
    }
}

impl<T: Emm> Deref for EmmSubscription<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner.user
    }
}
