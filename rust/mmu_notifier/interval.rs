// SPDX-License-Identifier: GPL-2.0

//! A subscription of some addresses, with the lock that its collision-retry protocol needs.

use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::c_ulong,
    mm::MmWithUser,
    prelude::*,
    sync::{
        lock::{
            Guard,
            Lock, //
        },
        LockClassKey, //
    },
    types::Opaque, //
};

use crate::{
    ffi,
    module_ref::ModuleRef,
    range::{
        Owner,
        Range,
        WouldBlock, //
    },
    user_lock::UserLock,
};

/// What an interval subscription is told.
#[vtable]
pub trait IntervalOps: Send + Sync + Sized + 'static {
    /// The translations, which the subscription's lock protects.
    type Table: Send + Unpin + 'static;

    /// The kind of lock: `MutexBackend` if an invalidation has to sleep under it, else
    /// `SpinLockBackend`.
    type Lock: UserLock;

    /// Called first, with nothing changed yet.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] for a range that the callbacks must sleep for: the VM leaves it as it is.
    ///
    /// Context: may sleep iff [`Range::blockable`] says so; must not unsubscribe, nor wait for
    /// memory. The VM may hold the mmap lock and reverse-map locks.
    #[inline]
    fn prepare<'a>(&self, _range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
        Ok(())
    }

    /// Drops the translations of `range`, of which part may lie outside of the subscription.
    ///
    /// Readers have been told to retry by now.
    ///
    /// Context: as `prepare`, under the lock.
    fn invalidate(&self, table: &mut Self::Table, range: &Range<'_>);

    /// Called last; the VM goes on when this returns.
    ///
    /// Context: as `prepare`.
    #[inline]
    fn invalidated(&self, _range: &Range<'_>) {}

    /// Whose invalidations are the driver's own work, and are passed over: they do not make a
    /// look-up collide.
    ///
    /// Such a driver brings its translations up to date itself.
    #[inline]
    fn owner(&self) -> Option<Owner> {
        None
    }
}

/// A subscription to changes of some addresses of an address space: `struct
/// mmu_interval_notifier`.
///
/// To make translations:
///
/// 1. [`read_begin`](Self::read_begin) waits for a running invalidation;
/// 2. look up what is behind the addresses, without the lock;
/// 3. [`ReadSeq::commit`] takes the lock, and gives the table if nothing was invalidated meanwhile.
///
/// ```
/// # use kernel::{static_lock_class, sync::lock::spinlock::SpinLockBackend};
/// use mmu_notifier::{Collision, IntervalOps, IntervalSubscription, Range};
///
/// /// A device that maps one buffer: its table holds where the buffer is, if it knows.
/// struct Device;
///
/// #[vtable]
/// impl IntervalOps for Device {
///     type Table = Option<u64>;
///     type Lock = SpinLockBackend;
///
///     fn invalidate(&self, table: &mut Option<u64>, _range: &Range<'_>) {
///         *table = None;
///     }
/// }
///
/// # fn look_up() -> Result<u64> { Ok(1) }
/// fn map(buffer: &IntervalSubscription<Device>) -> Result {
///     loop {
///         let begun = buffer.read_begin();
///         let found = look_up()?;
///         match begun.commit() {
///             Ok(mut table) => {
///                 *table = Some(found);
///                 return Ok(());
///             }
///             Err(Collision) => {}
///         }
///     }
/// }
///
/// let buffer = KBox::pin_init(
///     IntervalSubscription::insert(
///         mm,
///         memory.clone(),
///         Device,
///         None,
///         static_lock_class!(),
///     ),
///     GFP_KERNEL,
/// )?;
/// map(&buffer)?;
/// assert!(buffer.lock().is_some());
/// // The device gives the buffer up, which needs no look-up.
/// buffer.remove(|table| *table = None);
/// assert!(buffer.lock().is_none());
/// map(&buffer)?;
/// // The program unmaps its buffer, and:
/// unmap(memory);
/// assert!(buffer.lock().is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// Dropping it unsubscribes, and waits for running invalidations; so it must not be dropped in a
/// callback for the address space, nor by what such a callback waits for.
///
/// Context of the drop: sleeps; the caller must not hold the mmap lock of the address space, nor a
/// lock that a callback takes.
///
/// # Invariants
///
/// While the value exists, `inner` is inserted with the callbacks of this type. Its sequence is
/// stored under `lock` only.
#[pin_data(PinnedDrop)]
pub struct IntervalSubscription<T: IntervalOps> {
    #[pin]
    inner: Opaque<bindings::mmu_interval_notifier>,
    #[pin]
    lock: Lock<T::Table, T::Lock>,
    ops: T,
    // Behind the driver's data, whose drop is the module's code.
    _module: ModuleRef,
}

// SAFETY: Inserting and removing are not tied to a task; the data is `Send`.
unsafe impl<T: IntervalOps> Send for IntervalSubscription<T> {}
// SAFETY: The table is reached under its lock, and the rest is `Sync`.
unsafe impl<T: IntervalOps> Sync for IntervalSubscription<T> {}

impl<T: IntervalOps> IntervalSubscription<T> {
    const OPS: &'static bindings::mmu_interval_notifier_ops =
        &bindings::mmu_interval_notifier_ops {
            invalidate: Some(Self::invalidate),
            invalidate_start: None,
            invalidate_finish: None,
        };

    /// Subscribes to the changes of `range` in `mm`.
    ///
    /// Callbacks may come before this returns. They may also stay out until a
    /// [`read_begin`](Self::read_begin), if an invalidation is running elsewhere in `mm`. `key` is the class of the lock
    /// ([`kernel::static_lock_class!`]).
    ///
    /// # Errors
    ///
    /// `EINVAL` for an empty range; `EINTR` if a signal ends the wait for the locks of the address
    /// space; `ENOMEM`; `ENODEV` if the module is being unloaded.
    ///
    /// Context: sleeps; the caller must not hold the mmap lock of `mm`.
    #[inline]
    pub fn insert<'a>(
        mm: &'a MmWithUser,
        range: core::ops::Range<usize>,
        ops: T,
        table: impl PinInit<T::Table> + 'a,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self, Error> + 'a
    where
        T: 'a,
    {
        try_pin_init!(Self {
            _module: ModuleRef::get::<T::OwnerModule>()?,
            ops,
            lock <- Lock::new(table, c"mmu_interval_notifier", key),
            // INVARIANT: Inserted here, where all that a callback reaches is set up.
            inner <- Opaque::try_ffi_init(move |slot: *mut bindings::mmu_interval_notifier| {
                if range.is_empty() {
                    return Err(EINVAL);
                }
                // SAFETY: The value is pinned, and its drop removes it; `mm` has users.
                to_result(unsafe {
                    bindings::mmu_interval_notifier_insert(
                        slot,
                        mm.as_raw(),
                        range.start,
                        range.len(),
                        Self::OPS,
                    )
                })
            }),
        }? Error)
    }

    /// Begins to look addresses up.
    ///
    /// Context: sleeps, uninterruptibly, until no invalidation of the subscription is running; no
    /// lock that a callback takes may be held.
    #[inline]
    pub fn read_begin(&self) -> ReadSeq<'_, T> {
        ReadSeq {
            subscription: self,
            // SAFETY: By the type invariants it is inserted.
            seq: unsafe { bindings::mmu_interval_read_begin(self.inner.get()) },
        }
    }

    /// Takes the lock, to look at the table.
    ///
    /// Context: as the kind of lock has it. Under it nothing may touch user memory, nor wait for
    /// memory: an invalidation takes the lock, and memory may wait for the invalidation.
    #[inline]
    pub fn lock(&self) -> IntervalGuard<'_, T> {
        IntervalGuard(self.lock.lock())
    }

    /// Takes the lock and lets translations be removed, which needs no look-up.
    ///
    /// Context: as [`lock`](Self::lock).
    #[inline]
    pub fn remove<R>(&self, with: impl FnOnce(&mut T::Table) -> R) -> R {
        with(&mut self.lock.lock())
    }

    /// The driver's data beside the table.
    #[inline]
    pub fn ops(&self) -> &T {
        &self.ops
    }

    /// Takes the lock and the right to write, for tables that check what is written themselves.
    #[inline]
    pub(crate) fn lock_mut(&self) -> Guard<'_, T::Table, T::Lock> {
        self.lock.lock()
    }

    /// # Safety
    ///
    /// For the core: `inner` must be that of an inserted value of this type, `range` must be valid
    /// for the length of the call.
    unsafe extern "C" fn invalidate(
        inner: *mut bindings::mmu_interval_notifier,
        range: *const bindings::mmu_notifier_range,
        cur_seq: c_ulong,
    ) -> bool {
        // SAFETY: By this function's own requirements.
        let this = unsafe { &*container_of!(Opaque::cast_from(inner), Self, inner) };
        // SAFETY: By this function's own requirements.
        let range = unsafe { Range::from_raw(range) };
        if this
            .ops
            .owner()
            .is_some_and(|own| range.owner() == Some(own))
        {
            return true;
        }
        this.handle(&range, cur_seq).is_ok()
    }

    #[inline]
    fn handle<'a>(&self, range: &Range<'a>, cur_seq: c_ulong) -> Result<(), WouldBlock<'a>> {
        self.ops.prepare(range)?;
        let mut table = range.lock(&self.lock)?;
        // SAFETY: In a callback for `inner`, with its sequence, under its lock.
        unsafe { ffi::mmu_notifier_helper_set_seq(self.inner.get(), cur_seq) };
        self.ops.invalidate(&mut table, range);
        drop(table);
        self.ops.invalidated(range);
        Ok(())
    }
}

#[pinned_drop]
impl<T: IntervalOps> PinnedDrop for IntervalSubscription<T> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants it is inserted.
        unsafe { bindings::mmu_interval_notifier_remove(self.inner.get()) };
    }
}

/// The table was invalidated since [`IntervalSubscription::read_begin`]: begin again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Collision;

/// The beginning of a look-up.
#[must_use = "what was looked up may be used only after a commit"]
pub struct ReadSeq<'s, T: IntervalOps> {
    subscription: &'s IntervalSubscription<T>,
    seq: c_ulong,
}

impl<'s, T: IntervalOps> ReadSeq<'s, T> {
    /// Takes the subscription's lock, and lets the table be written with what was looked up.
    ///
    /// # Errors
    ///
    /// [`Collision`]: what was looked up may be gone.
    ///
    /// Context: as the kind of lock has it. What the table needs must be allocated before: under
    /// the lock nothing may wait for memory, see [`IntervalSubscription::lock`].
    #[inline]
    pub fn commit(self) -> Result<CommitGuard<'s, T>, Collision> {
        let table = self.subscription.lock.lock();
        let inner = self.subscription.inner.get();
        // SAFETY: It is inserted, and this is under its lock.
        if unsafe { ffi::mmu_notifier_helper_read_retry(inner, self.seq) } {
            return Err(Collision);
        }
        // INVARIANT: No invalidation has stored its sequence, and none can before the lock is
        // released.
        Ok(CommitGuard(table))
    }
}

/// The table, to look at.
pub struct IntervalGuard<'s, T: IntervalOps>(Guard<'s, T::Table, T::Lock>);

impl<T: IntervalOps> Deref for IntervalGuard<'_, T> {
    type Target = T::Table;

    #[inline]
    fn deref(&self) -> &T::Table {
        &self.0
    }
}

/// The table, to write; the proof that no invalidation collided.
///
/// # Invariants
///
/// Nothing of the subscription was invalidated between its [`IntervalSubscription::read_begin`] and
/// this guard's drop, but for what the driver itself has caused as [`IntervalOps::owner`].
pub struct CommitGuard<'s, T: IntervalOps>(Guard<'s, T::Table, T::Lock>);

impl<T: IntervalOps> Deref for CommitGuard<'_, T> {
    type Target = T::Table;

    #[inline]
    fn deref(&self) -> &T::Table {
        &self.0
    }
}

impl<T: IntervalOps> DerefMut for CommitGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T::Table {
        &mut self.0
    }
}
