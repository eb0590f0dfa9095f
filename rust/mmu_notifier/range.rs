// SPDX-License-Identifier: GPL-2.0

//! The range that the VM is about to invalidate, and what a callback may do about it.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    ffi::c_void,
    mm::Mm,
    sync::lock::{
        Guard,
        Lock, //
    },
    types::NotThreadSafe, //
};

use crate::user_lock::UserLock;

/// Makes a lifetime invariant, so that what one callback got cannot pass for another's.
type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// Why a range is invalidated: `enum mmu_notifier_event`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The mapping goes: `munmap()`, or `mremap()` that moves it.
    Unmap,
    /// The pages go or are replaced; the mapping stays.
    Clear,
    /// The protection of the whole mapping changes: `mprotect()`.
    ProtectionVma,
    /// The protection of single pages changes, as before a write-back.
    ProtectionPage,
    /// The tracking of writes (soft-dirty) starts anew; pages and protection stay.
    SoftDirty,
    /// The address space dies.
    Release,
    /// The pages move to or from a device; see [`Range::owner`].
    Migrate,
    /// A device gets exclusive access to the pages; see [`Range::owner`].
    Exclusive,
    /// Of a newer kernel than this crate: to be handled like [`Event::Clear`].
    Other(u32),
}

impl Event {
    /// Whether translations need only new permissions: the same pages stay behind the addresses.
    #[inline]
    pub fn is_protection(self) -> bool {
        matches!(
            self,
            Event::ProtectionVma | Event::ProtectionPage | Event::SoftDirty
        )
    }

    #[inline]
    fn from_raw(event: bindings::mmu_notifier_event) -> Self {
        match event {
            bindings::mmu_notifier_event_MMU_NOTIFY_UNMAP => Event::Unmap,
            bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR => Event::Clear,
            bindings::mmu_notifier_event_MMU_NOTIFY_PROTECTION_VMA => Event::ProtectionVma,
            bindings::mmu_notifier_event_MMU_NOTIFY_PROTECTION_PAGE => Event::ProtectionPage,
            bindings::mmu_notifier_event_MMU_NOTIFY_SOFT_DIRTY => Event::SoftDirty,
            bindings::mmu_notifier_event_MMU_NOTIFY_RELEASE => Event::Release,
            bindings::mmu_notifier_event_MMU_NOTIFY_MIGRATE => Event::Migrate,
            bindings::mmu_notifier_event_MMU_NOTIFY_EXCLUSIVE => Event::Exclusive,
            other => Event::Other(other),
        }
    }
}

/// Who caused an [`Event::Migrate`] or [`Event::Exclusive`] invalidation.
///
/// It can be compared and nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Owner(NonNull<c_void>);

// SAFETY: The pointer is not followed.
unsafe impl Send for Owner {}
// SAFETY: As above.
unsafe impl Sync for Owner {}

impl Owner {
    /// The owner that a driver passes to C as `pgmap_owner`, or to `make_device_exclusive()`.
    ///
    /// It must be of the driver's own: what another owner causes must not be taken for it.
    #[inline]
    pub const fn from_raw(passed: NonNull<c_void>) -> Self {
        Owner(passed)
    }
}

/// The range that a callback is called for: `struct mmu_notifier_range`.
///
/// # Invariants
///
/// The pointee is valid and unchanged for `'a`, which is no longer than the callback runs; its
/// owner only of the events that have one.
pub struct Range<'a> {
    raw: NonNull<bindings::mmu_notifier_range>,
    // What it permits depends on the calling context.
    _here: NotThreadSafe,
    _brand: Brand<'a>,
}

impl<'a> Range<'a> {
    /// # Safety
    ///
    /// `raw` must satisfy the type invariants.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: *const bindings::mmu_notifier_range) -> Self {
        // INVARIANT: By this function's own requirements.
        Range {
            // SAFETY: By this function's own requirements it points somewhere.
            raw: unsafe { NonNull::new_unchecked(raw.cast_mut()) },
            _here: NotThreadSafe,
            _brand: PhantomData,
        }
    }

    /// First address.
    #[inline]
    pub fn start(&self) -> usize {
        // SAFETY: By the type invariants.
        unsafe { (*self.raw.as_ptr()).start }
    }

    /// The address behind the last.
    #[inline]
    pub fn end(&self) -> usize {
        // SAFETY: By the type invariants.
        unsafe { (*self.raw.as_ptr()).end }
    }

    /// Whether any address of `range` lies in this one.
    #[inline]
    pub fn overlaps(&self, range: &core::ops::Range<usize>) -> bool {
        self.start() < range.end && range.start < self.end()
    }

    /// Why the range is invalidated.
    #[inline]
    pub fn event(&self) -> Event {
        // SAFETY: By the type invariants.
        Event::from_raw(unsafe { (*self.raw.as_ptr()).event })
    }

    /// Whose work the invalidation is, if it is a driver's.
    #[inline]
    pub fn owner(&self) -> Option<Owner> {
        // Of other events C does not write it.
        if !matches!(self.event(), Event::Migrate | Event::Exclusive) {
            return None;
        }
        // SAFETY: By the type invariants.
        NonNull::new(unsafe { (*self.raw.as_ptr()).owner }).map(Owner)
    }

    /// The address space. Its users may all be gone.
    ///
    /// A callback must not make users of it: the last one's end is the address space's, which
    /// waits for the callback.
    #[inline]
    pub fn mm(&self) -> &Mm {
        // SAFETY: By the type invariants the range is valid, and so is its mm while the VM works
        // on it.
        unsafe { Mm::from_raw((*self.raw.as_ptr()).mm) }
    }

    /// The permission to sleep; where there is none, the refusal to go on.
    ///
    /// `range.blockable()?` is the first line of a callback that must sleep.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if the VM cannot wait: it comes from the OOM reaper.
    #[inline]
    pub fn blockable(&self) -> Result<Blockable<'a>, WouldBlock<'a>> {
        // SAFETY: By the type invariants.
        let flags = unsafe { (*self.raw.as_ptr()).flags };
        if flags & bindings::MMU_NOTIFIER_RANGE_BLOCKABLE != 0 {
            // INVARIANT: The flag says so.
            Ok(Blockable {
                _here: NotThreadSafe,
                _brand: PhantomData,
            })
        } else {
            // INVARIANT: The flag says so.
            Err(WouldBlock {
                _here: NotThreadSafe,
                _brand: PhantomData,
            })
        }
    }

    /// Takes a lock of the driver's.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if the lock sleeps, is taken, and the VM cannot wait.
    ///
    /// Context: any that the range permits.
    #[inline]
    pub fn lock<'l, T: ?Sized, B: UserLock>(
        &self,
        lock: &'l Lock<T, B>,
    ) -> Result<Guard<'l, T, B>, WouldBlock<'a>> {
        if !B::SLEEPS {
            return Ok(lock.lock());
        }
        match self.blockable() {
            Ok(_) => Ok(lock.lock()),
            Err(refusal) => lock.try_lock().ok_or(refusal),
        }
    }
}

/// The permission to sleep in the callback that got it.
///
/// # Invariants
///
/// The range of the callback, which lives for `'a`, is blockable.
pub struct Blockable<'a> {
    _here: NotThreadSafe,
    _brand: Brand<'a>,
}

/// The refusal of a range that cannot wait for a callback that must sleep.
///
/// # Invariants
///
/// The range of the callback, which lives for `'a`, is not blockable.
#[derive(Debug)]
pub struct WouldBlock<'a> {
    _here: NotThreadSafe,
    _brand: Brand<'a>,
}
