// SPDX-License-Identifier: GPL-2.0

//! A mirror of some addresses, by an interval subscription.

use core::ops::Range as Addresses;
use kernel::{
    mm::{
        Mm,
        MmWithUser, //
    },
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    Fault,
    IntervalMirrorOps,
    Locked,
    MirrorGuard, //
};
use crate::{
    interval::{
        IntervalOps,
        IntervalSubscription, //
    },
    page::{
        Access,
        UserPage,
        PAGE_SIZE, //
    },
    range::{
        Event,
        Range,
        WouldBlock, //
    },
    table::Reservation,
};

struct Side<T: IntervalMirrorOps> {
    mm: ARef<Mm>,
    addresses: Addresses<usize>,
    ops: T,
}

/// A mirror of some addresses of an address space.
///
/// To be used behind an [`Arc`](kernel::sync::Arc). Context of the drop: as an
/// [`IntervalSubscription`]'s.
#[pin_data]
pub struct IntervalMirror<T: IntervalMirrorOps> {
    #[pin]
    subscription: IntervalSubscription<Side<T>>,
}

impl<T: IntervalMirrorOps> IntervalMirror<T> {
    /// Mirrors `addresses` of `mm`, whole pages.
    ///
    /// # Errors
    ///
    /// `EINVAL` if an end of `addresses` is not a page's; those of
    /// [`IntervalSubscription::insert`].
    ///
    /// Context: sleeps; the caller must not hold the mmap lock of `mm`.
    #[inline]
    pub fn new<'a>(
        mm: &'a MmWithUser,
        addresses: Addresses<usize>,
        ops: T,
        state: T::State,
    ) -> impl PinInit<Self, Error> + 'a
    where
        T: 'a,
    {
        let side = Side {
            mm: ARef::from(&**mm),
            addresses: addresses.clone(),
            ops,
        };
        let whole = (side.addresses.start | side.addresses.end) % PAGE_SIZE == 0;
        try_pin_init!(Self {
            _: { whole.then_some(()).ok_or(EINVAL)? },
            subscription <- IntervalSubscription::insert(
                mm,
                addresses,
                side,
                Locked::new(state),
                kernel::static_lock_class!(),
            ),
        }? Error)
    }

    /// As [`RangeMirror::fault`](super::RangeMirror::fault), but waits for a running invalidation.
    ///
    /// # Errors
    ///
    /// As there; `EFAULT` also for an address that is not mirrored.
    ///
    /// Context: as there.
    #[inline]
    pub fn fault(&self, addr: usize, access: Access) -> Result<(), Fault> {
        let side = self.subscription.ops();
        if !side.addresses.contains(&addr) {
            return Err(EFAULT.into());
        }
        let mm = side.mm.mmget_not_zero().ok_or(ESRCH)?;
        let room = Reservation::new()?;
        let begun = self.subscription.read_begin();
        let page = UserPage::get(&mm, addr, access)?;
        let mut locked = begun.commit().map_err(|_| Fault::Collided)?;
        if locked.dead {
            return Err(ESRCH.into());
        }
        // SAFETY: The guard is the proof that nothing was invalidated since before `addr` was
        // looked up.
        unsafe { locked.table.insert(addr, &page, access, room) };
        Ok(())
    }

    /// Takes the lock.
    ///
    /// Context: as the kind of lock has it. Under it nothing may touch user memory, nor wait for
    /// memory.
    #[inline]
    pub fn lock(&self) -> MirrorGuard<'_, T> {
        MirrorGuard(self.subscription.lock_mut())
    }

    /// The addresses that are mirrored.
    #[inline]
    pub fn addresses(&self) -> Addresses<usize> {
        self.subscription.ops().addresses.clone()
    }

    /// The driver's data outside of the lock.
    #[inline]
    pub fn ops(&self) -> &T {
        &self.subscription.ops().ops
    }

    /// The address space, which may be dead.
    #[inline]
    pub fn mm(&self) -> &Mm {
        &self.subscription.ops().mm
    }
}

#[vtable]
impl<T: IntervalMirrorOps> IntervalOps for Side<T> {
    type OwnerModule = T::OwnerModule;
    type Table = Locked<T::State>;
    type Lock = T::Lock;

    #[inline]
    fn prepare<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
        self.ops.prepare(range)
    }

    #[inline]
    fn invalidate(&self, locked: &mut Self::Table, range: &Range<'_>) {
        self.ops.invalidate(&mut locked.state, &locked.table, range);
        locked.table.remove(range.start()..range.end());
        if range.event() == Event::Release && locked.die().0 {
            self.ops.release(&mut locked.state);
        }
    }

    #[inline]
    fn invalidated(&self, range: &Range<'_>) {
        self.ops.invalidated(range);
    }
}
