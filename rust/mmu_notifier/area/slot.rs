// SPDX-License-Identifier: GPL-2.0

//! Where an area is mapped, and what keeps it there while somebody zaps.
//!
//! An invalidation of the source must zap without the mmap lock of the process that maps: it may
//! hold locks that come after. So the slot subscribes to that process too. The VM tells a
//! subscription before it frees page tables or a VMA; the slot then zaps, forgets the VMA, and
//! waits for the zaps that others have begun.

use core::{
    marker::PhantomData,
    ops::Range as Addresses,
    ptr, //
};
use kernel::{
    bindings,
    ffi::c_void,
    mm::virt::VmaRef,
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        lock::spinlock::SpinLockBackend,
        Arc,
        CondVar,
        Mutex, //
    },
    ModuleMetadata, //
};

use crate::{
    ffi,
    interval::IntervalOps,
    range::{
        Event,
        Range,
        WouldBlock, //
    },
};

/// Where an area is mapped.
#[pin_data]
pub(super) struct Slot {
    #[pin]
    state: Mutex<State>,
    /// A zap has ended, or `watch` has changed.
    #[pin]
    changed: CondVar,
}

/// Whether the slot is subscribed to the process that maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// It will be.
    Pending,
    /// It is, for as long as the mapping's file exists.
    On,
    /// It could not be: nothing may be entered.
    Failed,
}

/// # Invariants
///
/// - The mapping's page tables hold pages only while `vma` is not null.
/// - A `vma` that is not null is the mapping's; it and its page tables stay until
///   [`Slot::forget`] returns. For it is set in a fault, under the mmap lock, with `watch` on:
///   before the VM takes either away it calls the subscription, and that calls `forget`.
/// - `forget` does not return while `zaps` is not zero.
struct State {
    vma: *mut bindings::vm_area_struct,
    addresses: Addresses<usize>,
    /// The mapping's private data, to compare.
    private: *const c_void,
    zaps: usize,
    watch: Watch,
}

// SAFETY: The pointer is not tied to a task; the invariants say what may be done with it.
unsafe impl Send for State {}

impl Slot {
    #[inline]
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Slot {
                // INVARIANT: Not mapped.
                state <- new_mutex!(State {
                    vma: ptr::null_mut(),
                    addresses: 0..0,
                    private: ptr::null(),
                    zaps: 0,
                    watch: Watch::Pending,
                }),
                changed <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    /// It is being mapped at `addresses`, by a VMA with `private` data of its own.
    ///
    /// # Errors
    ///
    /// `EPERM` if it was mapped before: `remap_file_pages()` would map it anew.
    #[inline]
    pub(super) fn place(&self, addresses: Addresses<usize>, private: *const c_void) -> Result {
        let mut state = self.state.lock();
        if !state.addresses.is_empty() {
            return Err(EPERM);
        }
        state.addresses = addresses;
        state.private = private;
        Ok(())
    }

    /// Whether `vma` is the mapping.
    #[inline]
    pub(super) fn is_at(&self, vma: &VmaRef) -> bool {
        let state = self.state.lock();
        // SAFETY: What there is a reference to is alive, and its private data does not change.
        let private = unsafe { (*vma.as_ptr()).vm_private_data };
        !private.is_null()
            && ptr::eq(private, state.private)
            && vma.start() == state.addresses.start
    }

    /// Where it was mapped last; empty if it never was.
    #[inline]
    pub(super) fn addresses(&self) -> Addresses<usize> {
        self.state.lock().addresses.clone()
    }

    /// The subscription is made, or not.
    ///
    /// # Safety
    ///
    /// For [`Watch::On`] a [`Watcher`] of this slot must be subscribed to all of its addresses until
    /// the mapping is closed, and a `read_begin()` of it have returned.
    #[inline]
    pub(super) unsafe fn set_watch(&self, watch: Watch) {
        self.state.lock().watch = watch;
        self.changed.notify_all();
    }

    #[inline]
    pub(super) fn watch(&self) -> Watch {
        self.state.lock().watch
    }

    /// Waits until [`Slot::watch`] is not pending; a signal ends this, too.
    ///
    /// Context: sleeps; must not hold the mmap lock.
    #[inline]
    pub(super) fn wait_for_watch(&self) {
        let mut state = self.state.lock();
        while state.watch == Watch::Pending {
            if self.changed.wait_interruptible(&mut state) {
                return;
            }
        }
    }

    /// A page is about to be entered into `vma`.
    ///
    /// # Safety
    ///
    /// Must be called in a fault in `vma`, the slot's mapping, under the mmap lock, with
    /// [`Watch::On`].
    #[inline]
    pub(super) unsafe fn enter(&self, vma: *mut bindings::vm_area_struct) {
        // INVARIANT: By this function's own requirements. A `forget` can have come before if the
        // VM has given up what it was about to do: a fault proves that the mapping is there.
        self.state.lock().vma = vma;
    }

    /// Takes all pages at `offsets` out of the page tables.
    ///
    /// Context: sleeps; must not hold a lock that a callback takes.
    #[inline]
    pub(super) fn zap(&self, offsets: Addresses<usize>) {
        let mut state = self.state.lock();
        if state.vma.is_null() {
            return;
        }
        state.zaps += 1;
        let vma = state.vma;
        let start = state.addresses.start.saturating_add(offsets.start);
        let end = state
            .addresses
            .end
            .min(state.addresses.start.saturating_add(offsets.end));
        drop(state);
        // SAFETY: `vma` was not null under the lock, and by the invariants of `State` stays, with
        // its page tables, while `zaps` is not zero.
        unsafe { ffi::mmu_notifier_helper_zap(vma, start, end.saturating_sub(start)) };
        self.state.lock().zaps -= 1;
        self.changed.notify_all();
    }

    /// The VM is about to take the mapping, or its page tables, away.
    ///
    /// Context: sleeps.
    #[inline]
    fn forget(&self) {
        // First, so that a null `vma` says that no page is left.
        self.zap(0..usize::MAX);
        let mut state = self.state.lock();
        // INVARIANT: No fault can have entered a page since: the VM has taken the mapping out of
        // its tree, or holds the mmap lock for writing, or nobody uses the address space any more.
        state.vma = ptr::null_mut();
        while state.zaps != 0 {
            self.changed.wait(&mut state);
        }
    }
}

/// Tells a slot what becomes of the process that maps.
///
/// A zap is announced to it as any change of the pages is ([`Event::Clear`]): only what takes page
/// tables or the mapping away counts.
pub(super) struct Watcher<M>(Arc<Slot>, PhantomData<fn() -> M>);

impl<M> Watcher<M> {
    #[inline]
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Watcher(slot, PhantomData)
    }
}

#[vtable]
impl<M: ModuleMetadata + 'static> IntervalOps for Watcher<M> {
    type OwnerModule = M;
    type Table = ();
    type Lock = SpinLockBackend;

    #[inline]
    fn prepare<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
        match range.event() {
            Event::Unmap | Event::Release => range.blockable().map(|_| ()),
            _ => Ok(()),
        }
    }

    #[inline]
    fn invalidate(&self, _table: &mut (), _range: &Range<'_>) {}

    #[inline]
    fn invalidated(&self, range: &Range<'_>) {
        if matches!(range.event(), Event::Unmap | Event::Release) {
            self.0.forget();
        }
    }
}
