// SPDX-License-Identifier: GPL-2.0

//! Mappings, in one process, of what another has behind some addresses.
//!
//! An [`Area`] mirrors addresses of one address space, the *source*, and can be mapped once into
//! another. Its page-table entries there come from the mirror alone: a fault enters a page while
//! it holds the mirror's lock, and when the source changes, the VM waits until
//! [`AreaOps::tear_down`] has zapped the entries. Nothing is pinned, and the driver needs no
//! `unsafe`.
//!
//! # Locks
//!
//! The mmap lock of either process comes first, and no path takes both: a fault that must look
//! into the source drops the lock of its own process before. Then the mirror's lock; then those of
//! the records and of the slot, which are leaves. Of these none is held over a zap, nor over
//! `tear_down`: both may wait for callbacks in the other process, which can be waiting in the same
//! place for this one.
//!
//! A zap in a callback is an invalidation, of the other process, inside an invalidation. It ends
//! there: an area's mapping has no pages that could be mirrored in turn. To lockdep it looks like
//! recursion all the same.
//!
//! A source that is mapped somewhere refuses ranges that cannot wait: the OOM reaper leaves it to
//! the process's own exit.

mod fault;
mod file;
mod records;
mod slot;

use core::ops::Range as Addresses;
use kernel::{
    bindings,
    error::to_result,
    mm::MmWithUser,
    new_condvar,
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        lock::mutex::MutexBackend,
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use crate::{
    interval::IntervalSubscription,
    mirror::{
        IntervalMirror,
        IntervalMirrorOps,
        MirrorOps, //
    },
    page::{
        Access,
        PAGE_SIZE, //
    },
    range::{
        Range,
        WouldBlock, //
    },
};

use file::AreaFile;
use records::Records;
use slot::{
    Slot,
    Watch,
    Watcher, //
};

/// What a driver adds to an [`Area`].
#[vtable]
pub trait AreaOps: Send + Sync + Sized + 'static {
    /// The source changes: `zap` must have run before this returns, else it runs afterwards.
    ///
    /// Context: sleeps. The VM may hold mmap and reverse-map locks of the source, so it must
    /// neither take such locks nor wait for memory, nor drop an area.
    fn tear_down(&self, zap: &mut Zap<'_>) {
        zap.run();
    }

    /// A page of the source was entered into the page tables.
    ///
    /// Context: under locks of the area, which are leaves; sleeps.
    fn entered(&self) {}

    /// That many pages of those that were entered are not there any more.
    ///
    /// Context: as `entered`.
    fn left(&self, _pages: usize) {}

    /// The mapping is gone: unmapped, or its process is. Called once for an area that was mapped.
    ///
    /// Its file keeps the area alive until later, so references to it may be dropped here.
    ///
    /// Context: sleeps; the mmap lock of the process may be held.
    fn closed(_area: &Area<Self>) {}
}

/// The right, and the duty, to take pages out of an area's page tables.
pub struct Zap<'a> {
    slot: &'a Slot,
    /// Offsets into the area.
    offsets: Addresses<usize>,
    done: bool,
}

impl Zap<'_> {
    /// Takes the pages out; again if it is called again.
    ///
    /// Context: sleeps; must not hold a lock that a callback takes.
    #[inline]
    pub fn run(&mut self) {
        self.slot.zap(self.offsets.clone());
        self.done = true;
    }
}

/// Some addresses of a process, the source, which another can map.
///
/// ```
/// use mmu_notifier::{
///     area::{Area, AreaOps},
///     Access,
/// };
///
/// /// Shows a process its own memory a second time.
/// struct Window;
///
/// #[vtable]
/// impl AreaOps for Window {}
///
/// let window = Area::new(mm, memory.clone(), Window)?;
/// let start = window.map(None, Access::Read)?;
/// assert_eq!(window.addresses(), start..start + memory.len());
/// // The source may change while it is mapped: what is entered leaves first.
/// unmap(memory);
/// window.unmap()?;
/// assert!(window.addresses().is_empty());
/// # Ok::<(), Error>(())
/// ```
///
/// Context of the drop: as a mirror's.
#[pin_data]
pub struct Area<T: AreaOps> {
    #[pin]
    mirror: IntervalMirror<Side<T>>,
    shared: Arc<Shared<T>>,
}

/// What both processes and the driver share.
#[pin_data]
struct Shared<T: AreaOps> {
    ops: T,
    source: Addresses<usize>,
    #[pin]
    records: Mutex<Records>,
    /// A tear-down has ended.
    #[pin]
    settled: CondVar,
    place: Arc<Slot>,
    closed: Atomic<bool>,
}

impl<T: AreaOps> Area<T> {
    /// Mirrors `source`, whole pages of `mm`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `source` is empty or not of whole pages; those of
    /// [`IntervalMirror::new`].
    ///
    /// Context: sleeps; the caller must not hold the mmap lock of `mm`.
    #[inline]
    pub fn new(mm: &MmWithUser, source: Addresses<usize>, ops: T) -> Result<Arc<Self>> {
        let place = Slot::new()?;
        let mirrored = source.clone();
        let shared = Arc::pin_init(
            pin_init!(Shared {
                ops,
                source,
                records <- new_mutex!(Records::new()),
                settled <- new_condvar!(),
                place,
                closed: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        let side = Side(shared.clone());
        Arc::pin_init(
            try_pin_init!(Area {
                mirror <- IntervalMirror::new(mm, mirrored, side, ()),
                shared,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Maps the area into the current process, at an address or where there is room; returns
    /// where.
    ///
    /// A fixed address takes the place of what is mapped there, as `MAP_FIXED` does. The mapping
    /// can be unmapped, but not moved, split or inherited. Where the source has nothing, or does
    /// not allow the access, there is a `SIGBUS`.
    ///
    /// # Errors
    ///
    /// `EPERM` for an area that was mapped before; those of `mmap(2)`; `EINTR` if a signal ends
    /// the wait for the locks of the address space.
    ///
    /// Context: sleeps; of a process, whose mmap lock must not be held.
    #[inline]
    pub fn map(self: &Arc<Self>, at: Option<usize>, access: Access) -> Result<usize> {
        let current = current!();
        let mm = current.mm().ok_or(ESRCH)?;
        let file = AreaFile::new(self.clone(), access)?;
        let len = self.shared.source.len();
        let start = file.map(at, len, access)?;

        let slot = &self.shared.place;
        let watch = KBox::pin_init(
            IntervalSubscription::insert(
                mm,
                start..start + len,
                Watcher::new(slot.clone()),
                (),
                static_lock_class!(),
            ),
            GFP_KERNEL,
        );
        match watch {
            Ok(watch) => {
                // What is inserted during an invalidation is told of nothing before its end.
                let _ = watch.read_begin();
                file.private().watch.populate(watch);
                // SAFETY: It is in the tree, by the wait above; the file has it now, and outlives
                // its mapping.
                unsafe { slot.set_watch(Watch::On) };
                Ok(start)
            }
            Err(error) => {
                // SAFETY: It makes no promise.
                unsafe { slot.set_watch(Watch::Failed) };
                self.unmap()?;
                Err(error)
            }
        }
    }

    /// Unmaps the area if it is mapped in the current process.
    ///
    /// What another thread unmaps at the same time, and maps something else in its place, is
    /// unmapped with it.
    ///
    /// # Errors
    ///
    /// Those of `munmap(2)`.
    ///
    /// Context: sleeps; of a process, whose mmap lock must not be held.
    #[inline]
    pub fn unmap(&self) -> Result {
        let addresses = self.addresses();
        if !self.is_at(addresses.start) {
            return Ok(());
        }
        // SAFETY: Checked as for `munmap(2)`.
        to_result(unsafe { bindings::vm_munmap(addresses.start, addresses.len()) })
    }

    /// Whether it is what the current process has at `addr`.
    #[inline]
    fn is_at(&self, addr: usize) -> bool {
        let current = current!();
        current.mm().is_some_and(|mm| {
            let mapped = mm.mmap_read_lock();
            let vma = mapped.vma_lookup(addr);
            vma.is_some_and(|vma| self.shared.place.is_at(vma))
        })
    }

    /// Tears the area down for good: what accesses the mapping gets a `SIGBUS`.
    ///
    /// Context: sleeps; must not hold a lock that a callback takes.
    #[inline]
    pub fn revoke(&self) {
        // Under the mirror's lock no page is being entered.
        let mirror = self.mirror.lock();
        self.shared.records.lock().revoke();
        drop(mirror);
        self.shared.tear_down(0..self.shared.source.len());
    }

    /// Where it is mapped; empty if it is not.
    #[inline]
    pub fn addresses(&self) -> Addresses<usize> {
        if self.shared.closed.load(Relaxed) {
            return 0..0;
        }
        self.shared.place.addresses()
    }

    /// What it maps.
    #[inline]
    pub fn source(&self) -> Addresses<usize> {
        self.shared.source.clone()
    }

    /// The driver's data.
    #[inline]
    pub fn ops(&self) -> &T {
        &self.shared.ops
    }

    /// The mapping is gone, and its page tables are empty.
    #[inline]
    fn close(&self) {
        let shared = &self.shared;
        if shared.closed.xchg(true, Relaxed) {
            return;
        }
        let mut records = shared.records.lock();
        let pages = records.close();
        shared.ops.left(pages);
        drop(records);
        T::closed(self);
    }
}

impl<T: AreaOps> Shared<T> {
    /// Has the pages at `offsets` taken out of the page tables, and waits until they are.
    #[inline]
    fn tear_down(&self, offsets: Addresses<usize>) {
        let begun = self.records.lock().begin(&offsets);
        if let Some((ticket, found)) = begun {
            let mut zap = Zap {
                slot: &self.place,
                offsets: found.start..found.end.next_multiple_of(PAGE_SIZE),
                done: false,
            };
            self.ops.tear_down(&mut zap);
            if !zap.done {
                zap.run();
            }
            let mut records = self.records.lock();
            let pages = records.end(ticket, &found);
            // Before anyone can see that it is over.
            self.ops.left(pages);
            drop(records);
            self.settled.notify_all();
        }
        // The VM may free what another tear-down takes out only after that.
        let mut records = self.records.lock();
        while records.is_busy(&offsets) {
            self.settled.wait(&mut records);
        }
    }
}

/// What the mirror of the source calls.
struct Side<T: AreaOps>(Arc<Shared<T>>);

#[vtable]
impl<T: AreaOps> MirrorOps for Side<T> {
    type OwnerModule = T::OwnerModule;
    type State = ();
    type Lock = MutexBackend;

    #[inline]
    fn invalidated(&self, range: &Range<'_>) {
        let source = &self.0.source;
        let start = range.start().max(source.start);
        let end = range.end().min(source.end);
        if start < end {
            self.0.tear_down(start - source.start..end - source.start);
        }
    }
}

impl<T: AreaOps> IntervalMirrorOps for Side<T> {
    #[inline]
    fn prepare<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
        range.blockable().map(|_| ())
    }
}
