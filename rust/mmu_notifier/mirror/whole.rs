// SPDX-License-Identifier: GPL-2.0

//! Mirrors of a whole address space: by the range model, and by the TLB-flush model.

use core::ops::Range as Addresses;
use kernel::{
    mm::{
        Mm,
        MmWithUser, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        lock::spinlock::SpinLockBackend,
        CondVar,
        SpinLock, //
    }, //
};

use super::{
    Fault,
    Locked,
    MirrorGuard,
    MirrorOps, //
};
use crate::{
    model::{
        Flush,
        Model,
        Ranges, //
    },
    ops::{
        FlushOps,
        RangeOps, //
    },
    page::{
        Access,
        UserPage, //
    },
    range::Range,
    subscription::Subscription,
    table::Reservation,
};

/// What is behind the subscription, in both models.
#[doc(hidden)]
#[pin_data]
pub struct Side<T: MirrorOps<Lock = SpinLockBackend>> {
    #[pin]
    locked: SpinLock<Locked<T::State>>,
    /// No range is active any more, or the address space is dead.
    #[pin]
    idle: CondVar,
    mm: ARef<Mm>,
    ops: T,
}

/// A mirror of a whole address space that a driver's software MMU uses by the range model: in the
/// way of KVM and of GRU.
///
/// ```
/// # use kernel::uaccess::{UserPtr, UserSlice};
/// # use kernel::sync::lock::spinlock::SpinLockBackend;
/// use mmu_notifier::{Access, Fault, MirrorOps, RangeMirror, PAGE_SIZE};
///
/// struct Device;
///
/// #[vtable]
/// impl MirrorOps for Device {
///     type State = ();
///     type Lock = SpinLockBackend;
/// }
///
/// /// Reads an aligned word of the process's memory through the mirror.
/// fn read(mirror: &RangeMirror<Device>, addr: usize) -> Result<u64> {
///     let mut word = [0; 8];
///     loop {
///         if let Some(page) = mirror.lock().get(addr, Access::Read) {
///             page.read(addr % PAGE_SIZE, &mut word);
///             return Ok(u64::from_ne_bytes(word));
///         }
///         match mirror.fault(addr, Access::Read) {
///             Ok(()) => {}
///             Err(Fault::Collided) => mirror.wait(addr)?,
///             Err(Fault::Failed(error)) => return Err(error),
///         }
///     }
/// }
///
/// let mirror = KBox::pin_init(RangeMirror::new(mm, Device, ()), GFP_KERNEL)?;
/// # UserSlice::new(UserPtr::from_addr(memory.start), 8).writer().write(&42u64)?;
/// assert_eq!(42, read(&mirror, memory.start)?);
/// // The program unmaps the page, and:
/// unmap(memory.clone());
/// assert!(mirror.lock().get(memory.start, Access::Read).is_none());
/// assert_eq!(Err(EFAULT), read(&mirror, memory.start));
/// # Ok::<(), Error>(())
/// ```
pub type RangeMirror<T> = WholeMirror<T, Ranges>;

/// A mirror of a whole address space that is a TLB in front of the CPU's page tables.
pub type FlushMirror<T> = WholeMirror<T, Flush>;

/// A mirror of a whole address space.
///
/// To be used behind an [`Arc`](kernel::sync::Arc). Context of the drop: as a [`Subscription`]'s.
#[pin_data(PinnedDrop)]
pub struct WholeMirror<T: MirrorOps<Lock = SpinLockBackend>, M: Model<Side<T>>> {
    #[pin]
    subscription: Subscription<Side<T>, M>,
}

impl<T: MirrorOps<Lock = SpinLockBackend>, M: Model<Side<T>>> WholeMirror<T, M> {
    /// Mirrors `mm`.
    ///
    /// # Errors
    ///
    /// Those of [`Subscription::register`].
    ///
    /// Context: sleeps; the caller must not hold the mmap lock of `mm`.
    #[inline]
    pub fn new<'a>(mm: &'a MmWithUser, ops: T, state: T::State) -> impl PinInit<Self, Error> + 'a
    where
        T: 'a,
    {
        let side = pin_init!(Side {
            locked <- SpinLock::new(Locked::new(state), c"mirror", kernel::static_lock_class!()),
            idle <- CondVar::new(c"mirror_idle", kernel::static_lock_class!()),
            mm: ARef::from(&**mm),
            ops,
        });
        try_pin_init!(Self {
            subscription <- Subscription::register(mm, side),
        }? Error)
    }

    /// Makes a translation of `addr` for `access`.
    ///
    /// Faults the page in if need be. There is one afterwards unless an invalidation has removed
    /// it already.
    ///
    /// # Errors
    ///
    /// - [`Fault::Collided`]: an invalidation came between, or is running: try again, in the
    ///   range model perhaps after [`wait`](Self::wait);
    /// - `EFAULT` where nothing is mapped, where `access` is not allowed, and for memory that has
    ///   no pages; `ESRCH` if the address space is dead; `EINTR` for a signal; `ENOMEM`.
    ///
    /// Protection keys are not looked at.
    ///
    /// Context: sleeps; takes the mmap lock of the address space, and may be what ends it: no lock
    /// that a callback takes may be held, the mirror's least of all.
    #[inline]
    pub fn fault(&self, addr: usize, access: Access) -> Result<(), Fault> {
        let side = &*self.subscription;
        let mm = side.mm.mmget_not_zero().ok_or(ESRCH)?;
        let room = Reservation::new()?;
        let begun = side.locked.lock().retry.snapshot();
        let page = UserPage::get(&mm, addr, access)?;
        let mut locked = side.locked.lock();
        if locked.dead {
            return Err(ESRCH.into());
        }
        let with = page.flushed_with(addr);
        if locked.retry.collided(begun, addr, &with) {
            return Err(Fault::Collided);
        }
        // SAFETY: Under the lock there is proof that nothing of `addr` was invalidated since
        // before it was looked up.
        unsafe { locked.table.insert(addr, &page, access, room) };
        Ok(())
    }

    /// Takes the lock.
    ///
    /// Context: as a spinlock, so nothing under it may fault on user memory. A guard that is made in
    /// a condition lives as long as the whole `if let` or `match`.
    #[inline]
    pub fn lock(&self) -> MirrorGuard<'_, T> {
        MirrorGuard(self.subscription.locked.lock())
    }

    /// The driver's data outside of the lock.
    #[inline]
    pub fn ops(&self) -> &T {
        &self.subscription.ops
    }

    /// The address space, which may be dead.
    #[inline]
    pub fn mm(&self) -> &Mm {
        &self.subscription.mm
    }
}

#[pinned_drop]
impl<T: MirrorOps<Lock = SpinLockBackend>, M: Model<Side<T>>> PinnedDrop for WholeMirror<T, M> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        // Unregistering calls `release` of a subscription; the address space need not be dying.
        let (_, table) = self.subscription.locked.lock().die();
        // Without the lock, which was held for the statement above.
        drop(table);
    }
}

impl<T: MirrorOps<Lock = SpinLockBackend>> RangeMirror<T> {
    /// Whether a range that may hold `addr` is active.
    #[inline]
    pub fn is_active(&self, addr: usize) -> bool {
        self.subscription.locked.lock().retry.is_active(addr)
    }

    /// Waits until no range that may hold `addr` is active.
    ///
    /// # Errors
    ///
    /// `EINTR` for a signal, `ESRCH` if the address space is dead.
    ///
    /// Context: sleeps; holds no lock that an invalidation takes.
    #[inline]
    pub fn wait(&self, addr: usize) -> Result {
        let side = &*self.subscription;
        let mut locked = side.locked.lock();
        while !locked.dead && locked.retry.is_active(addr) {
            if side.idle.wait_interruptible(&mut locked) {
                return Err(EINTR);
            }
        }
        if locked.dead {
            return Err(ESRCH);
        }
        Ok(())
    }
}

impl<T: MirrorOps<Lock = SpinLockBackend>> Side<T> {
    #[inline]
    fn die(&self) {
        let mut locked = self.locked.lock();
        let (alive, table) = locked.die();
        if alive {
            self.ops.release(&mut locked.state);
        }
        drop(locked);
        drop(table);
        self.idle.notify_all();
    }

    #[inline]
    fn age(&self, start: usize, end: usize) -> bool {
        let mut guard = self.locked.lock();
        let locked = &mut *guard;
        let young = locked.table.young(start..end, true);
        self.ops.aged(&mut locked.state, start, end, young);
        young
    }
}

#[vtable]
impl<T: MirrorOps<Lock = SpinLockBackend>> RangeOps for Side<T> {
    type OwnerModule = T::OwnerModule;

    fn invalidate_range_start(&self, range: &Range<'_>) {
        let mut guard = self.locked.lock();
        let locked = &mut *guard;
        locked.retry.start(range.start(), range.end());
        self.ops.invalidate(&mut locked.state, &locked.table, range);
        locked.table.remove(range.start()..range.end());
        drop(guard);
        self.ops.invalidated(range);
    }

    fn invalidate_range_end(&self, range: &Range<'_>) {
        let idle = self.locked.lock().retry.end(range.start(), range.end());
        if idle {
            self.idle.notify_all();
        }
        self.ops.ended(range);
    }

    fn clear_flush_young(&self, start: usize, end: usize) -> bool {
        self.age(start, end)
    }

    fn clear_young(&self, start: usize, end: usize) -> bool {
        self.age(start, end)
    }

    fn test_young(&self, addr: usize) -> bool {
        self.locked
            .lock()
            .table
            .young(addr..addr.saturating_add(1), false)
    }

    fn release(&self) {
        self.die();
    }
}

#[vtable]
impl<T: MirrorOps<Lock = SpinLockBackend>> FlushOps for Side<T> {
    type OwnerModule = T::OwnerModule;

    fn invalidate_pages(&self, start: usize, end: usize) {
        let mut guard = self.locked.lock();
        let locked = &mut *guard;
        locked.retry.done(start, end);
        let Addresses { start, end } = locked.table.flushed_with(start..end);
        self.ops.flush(&mut locked.state, &locked.table, start, end);
        locked.table.remove(start..end);
    }

    fn clear_flush_young(&self, start: usize, end: usize) -> bool {
        self.age(start, end)
    }

    fn clear_young(&self, start: usize, end: usize) -> bool {
        self.age(start, end)
    }

    fn test_young(&self, addr: usize) -> bool {
        self.locked
            .lock()
            .table
            .young(addr..addr.saturating_add(1), false)
    }

    fn release(&self) {
        self.die();
    }
}
