// SPDX-License-Identifier: GPL-2.0

//! What a subscription of a whole address space is told, one trait for each model.

use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

use crate::range::{
    Range,
    WouldBlock, //
};

/// A secondary MMU with page tables of its own: the *range model*.
///
/// From the start of a range to its end no translation of it may be made; pages are freed only
/// after the start has returned. Several may be active at once, over the same addresses too. Once
/// [`release`](Self::release) was called, starts may still come, and an end may stay out.
///
/// A start cannot refuse: the core could not tell which ends must follow. A driver whose start
/// must sleep uses [`StartOps`] or an [`IntervalSubscription`](crate::IntervalSubscription).
///
/// Absent methods are null pointers in the table and cost nothing.
#[vtable]
pub trait RangeOps: Send + Sync + Sized + 'static {
    /// The pages behind the range are about to change or go: drop its translations, make no new
    /// ones.
    ///
    /// Context: may sleep iff [`Range::blockable`] says so; the VM may hold the mmap lock and the
    /// reverse-map locks of the mappings. Must not unregister, nor allocate memory in a way that
    /// waits for reclaim.
    fn invalidate_range_start(&self, range: &Range<'_>);

    /// The change is done.
    ///
    /// Context: as [`invalidate_range_start`](Self::invalidate_range_start).
    fn invalidate_range_end(&self, range: &Range<'_>);

    /// Tests and clears whether the device accessed the pages of `start..end`, and flushes the
    /// translations' accessed state.
    ///
    /// Context: atomic.
    fn clear_flush_young(&self, _start: usize, _end: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// As [`clear_flush_young`](Self::clear_flush_young), but need not flush.
    ///
    /// Context: atomic.
    fn clear_young(&self, _start: usize, _end: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Tests whether the device accessed the page at `addr`.
    ///
    /// Context: atomic.
    fn test_young(&self, _addr: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The address space dies, or the subscription is dropped: drop every translation, make no new
    /// ones.
    ///
    /// If both happen at once it is called twice, in parallel; other callbacks may run as well. Not
    /// called when a [`Shared`](crate::Shared) subscription is put.
    ///
    /// Context: may sleep. Must not unregister.
    fn release(&self) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A user that must know before a range changes, and has no use for the end.
///
/// It can refuse a range that it would have to sleep for. With the C core in charge that has a
/// price: C does not take the start back from interval subscriptions of the same address space,
/// which wait for its end ever after. An [`IntervalSubscription`](crate::IntervalSubscription) can
/// refuse without harm on both cores.
///
/// ```
/// # use kernel::uaccess::{UserPtr, UserSlice};
/// # use kernel::{new_mutex, sync::Mutex};
/// use mmu_notifier::{Range, StartOps, StartSubscription, WouldBlock};
///
/// /// Remembers the last range that changed.
/// #[pin_data]
/// struct Last {
///     #[pin]
///     range: Mutex<Option<(usize, usize)>>,
/// }
///
/// #[vtable]
/// impl StartOps for Last {
///     fn invalidate_range_start<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
///         *range.lock(&self.range)? = Some((range.start(), range.end()));
///         Ok(())
///     }
/// }
///
/// let last = KBox::pin_init(
///     StartSubscription::register(mm, pin_init!(Last { range <- new_mutex!(None) })),
///     GFP_KERNEL,
/// )?;
/// # UserSlice::new(UserPtr::from_addr(memory.start), 8).writer().write(&42u64)?;
/// unmap(memory.clone());
/// assert_eq!(Some((memory.start, memory.end)), *last.range.lock());
/// # Ok::<(), Error>(())
/// ```
#[vtable]
pub trait StartOps: Send + Sync + Sized + 'static {
    /// As [`RangeOps::invalidate_range_start`].
    ///
    /// # Errors
    ///
    /// [`WouldBlock`]: the VM leaves the range as it is, and may come back.
    fn invalidate_range_start<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>>;

    /// As [`RangeOps::release`].
    fn release(&self) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A secondary TLB in front of the CPU's page tables: the *TLB-flush model*.
///
/// It is told when the CPU's own TLBs are flushed: a page table entry has changed, and the page
/// that was behind it is not freed before these return.
///
/// ```
/// # use kernel::sync::atomic::{Atomic, Relaxed};
/// # use kernel::uaccess::{UserPtr, UserSlice};
/// use mmu_notifier::{FlushOps, FlushSubscription, PAGE_SIZE};
///
/// /// Counts the pages that it would have to flush.
/// struct Flushes(Atomic<usize>);
///
/// #[vtable]
/// impl FlushOps for Flushes {
///     fn invalidate_page(&self, _addr: usize) {
///         self.0.fetch_add(1, Relaxed);
///     }
///
///     fn invalidate_pages(&self, start: usize, end: usize) {
///         self.0.fetch_add((end - start) / PAGE_SIZE, Relaxed);
///     }
/// }
///
/// let flushes = KBox::pin_init(
///     FlushSubscription::register(mm, Flushes(Atomic::new(0))),
///     GFP_KERNEL,
/// )?;
/// # UserSlice::new(UserPtr::from_addr(memory.start), 8).writer().write(&42u64)?;
/// unmap(memory);
/// assert!(flushes.0.load(Relaxed) > 0);
/// # Ok::<(), Error>(())
/// ```
#[vtable]
pub trait FlushOps: Send + Sync + Sized + 'static {
    /// Drops the cached translations of `start..end`.
    ///
    /// Context: atomic; the VM may hold a page table lock.
    fn invalidate_pages(&self, start: usize, end: usize);

    /// Drops the cached translation of the one page at `addr`; without it,
    /// [`invalidate_pages`](Self::invalidate_pages) is called for single pages too.
    ///
    /// Context: as there.
    fn invalidate_page(&self, _addr: usize) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// As [`RangeOps::clear_flush_young`].
    fn clear_flush_young(&self, _start: usize, _end: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// As [`RangeOps::clear_young`].
    fn clear_young(&self, _start: usize, _end: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// As [`RangeOps::test_young`].
    fn test_young(&self, _addr: usize) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// As [`RangeOps::release`].
    fn release(&self) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}
