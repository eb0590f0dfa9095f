// SPDX-License-Identifier: GPL-2.0

//! The translations of a mirror: user addresses and the pages behind them, none of them pinned.

use core::{
    marker::PhantomData,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    }, //
};

use crate::{
    ffi,
    page::{
        Access,
        UserPage,
        PAGE_SIZE, //
    },
};

/// What a table says of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// May be written.
    pub writable: bool,
    /// Was accessed since the VM last cleared this.
    pub young: bool,
    /// Was written since the driver last cleared this.
    pub dirty: bool,
}

struct Leaf {
    page: NonNull<bindings::page>,
    entry: Entry,
}

/// Room for one translation, to be allocated without the lock.
pub(crate) struct Reservation(RBTreeNodeReservation<usize, Leaf>);

impl Reservation {
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// Context: sleeps.
    #[inline]
    pub(crate) fn new() -> Result<Self> {
        RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT).map(Reservation)
    }
}

/// The translations of one mirror.
///
/// # Invariants
///
/// - Whoever can reach the table holds the mirror's lock.
/// - While that is held, each page of it may be accessed as its entry says: a page enters with the
///   proof that nothing was invalidated since it was looked up, and an invalidation takes the lock
///   and removes it before the VM goes on to free or clean it. In the TLB-flush model the page
///   table may have changed already, as it may under a CPU's TLB: a page enters only by an entry
///   that the CPU could cache, so the flush that follows comes here as well.
pub struct Table {
    leaves: RBTree<usize, Leaf>,
    len: usize,
    /// The size of the largest page table entry that a page came by.
    entry_size: usize,
}

// SAFETY: It owns no page: the pointers are good under the mirror's lock on any CPU.
unsafe impl Send for Table {}

impl Table {
    #[inline]
    pub(crate) fn new() -> Self {
        Table {
            leaves: RBTree::new(),
            len: 0,
            entry_size: PAGE_SIZE,
        }
    }

    /// How many translations there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it says of the page at `addr`.
    #[inline]
    pub fn entry(&self, addr: usize) -> Option<Entry> {
        self.leaves.get(&page_of(addr)).map(|leaf| leaf.entry)
    }

    /// The translations of `range`, in the order of their addresses.
    #[inline]
    pub fn iter(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Entry)> + '_ {
        let mut from = page_of(range.start);
        core::iter::from_fn(move || {
            let cursor = self.leaves.cursor_lower_bound(&from)?;
            let (&addr, leaf) = cursor.current();
            from = addr.saturating_add(PAGE_SIZE);
            (addr < range.end).then_some((addr, leaf.entry))
        })
    }

    /// The addresses whose translations may have to go when those of `range` are flushed.
    ///
    /// Of a huge page of hugetlbfs a flush names one small page; what else lies between is
    /// dropped needlessly, which does no harm.
    #[inline]
    pub(crate) fn flushed_with(&self, range: Range<usize>) -> Range<usize> {
        let mask = self.entry_size - 1;
        range.start & !mask
            ..range
                .end
                .checked_add(mask)
                .map_or(usize::MAX, |end| end & !mask)
    }

    /// Removes the translations of `range`; returns how many there were.
    #[inline]
    pub(crate) fn remove(&mut self, range: Range<usize>) -> usize {
        let before = self.len;
        let gone = page_of(range.start)..range.end;
        let mut next = self.leaves.cursor_lower_bound_mut(&gone.start);
        // Behind the last of all comes the one before it, again.
        while let Some(here) = next.filter(|here| gone.contains(here.current().0)) {
            next = here.remove_current().0;
            self.len -= 1;
        }
        before - self.len
    }

    /// Enters a page, in place of what was there.
    ///
    /// # Safety
    ///
    /// The page must have been looked up at `addr`, which has no tag, for `access`, and nothing of it
    /// may have been invalidated since.
    #[inline]
    pub(crate) unsafe fn insert(
        &mut self,
        addr: usize,
        page: &UserPage,
        access: Access,
        room: Reservation,
    ) {
        let addr = page_of(addr);
        let known = self.leaves.get(&addr);
        let mut entry = known.map_or(
            Entry {
                writable: false,
                young: false,
                dirty: false,
            },
            |leaf| leaf.entry,
        );
        entry.writable |= access == Access::Write;
        self.entry_size = self.entry_size.max(page.flushed_with(addr).len());
        if known.is_none() {
            self.len += 1;
        }
        // INVARIANT: By this function's own requirements. The right to write that an earlier entry
        // had still holds: what takes it away is an invalidation, which removes the entry.
        self.leaves.insert(room.0.into_node(
            addr,
            Leaf {
                page: page.as_raw(),
                entry,
            },
        ));
    }

    /// The page at `addr`, marked young, and dirty too for [`Access::Write`].
    #[inline]
    pub(crate) fn access(&mut self, addr: usize, access: Access) -> Option<Frame<'_>> {
        let leaf = self.leaves.get_mut(&page_of(addr))?;
        if access == Access::Write {
            if !leaf.entry.writable {
                return None;
            }
            leaf.entry.dirty = true;
        }
        leaf.entry.young = true;
        // INVARIANT: It borrows from the table, hence under the lock.
        Some(Frame {
            page: leaf.page,
            writable: access == Access::Write,
            _table: PhantomData,
        })
    }

    /// Whether a page of `range` is young; none is afterwards if `clear`.
    #[inline]
    pub(crate) fn young(&mut self, range: Range<usize>, clear: bool) -> bool {
        let mut any = false;
        let mut next = self.leaves.cursor_lower_bound_mut(&page_of(range.start));
        while let Some(mut here) = next {
            let (&addr, leaf) = here.current_mut();
            if addr >= range.end {
                break;
            }
            any |= leaf.entry.young;
            leaf.entry.young &= !clear;
            next = here.move_next();
        }
        any
    }

    /// Takes the dirty marks and the rights to write in `range` away, and tells where there was a
    /// mark.
    #[inline]
    pub(crate) fn clear_dirty(&mut self, range: Range<usize>, mut was_dirty: impl FnMut(usize)) {
        let mut next = self.leaves.cursor_lower_bound_mut(&page_of(range.start));
        while let Some(mut here) = next {
            let (&addr, leaf) = here.current_mut();
            if addr >= range.end {
                break;
            }
            if core::mem::take(&mut leaf.entry.dirty) {
                was_dirty(addr);
            }
            leaf.entry.writable = false;
            next = here.move_next();
        }
    }
}

#[inline]
fn page_of(addr: usize) -> usize {
    addr & !(PAGE_SIZE - 1)
}

/// A page of a mirror, for as long as its lock is held.
///
/// # Invariants
///
/// The page is behind its address for `'t`; it may be written if `writable`.
pub struct Frame<'t> {
    page: NonNull<bindings::page>,
    writable: bool,
    _table: PhantomData<&'t mut Table>,
}

impl Frame<'_> {
    /// Copies what stands from `offset` on to `to`.
    ///
    /// Aligned words of eight bytes are read whole. What does not lie in the page is left out.
    ///
    /// Context: any.
    #[inline]
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        let len = in_page(offset, to.len());
        let Some(to) = to.get_mut(..len) else {
            return;
        };
        self.mapped(|page| {
            // SAFETY: What is left of `to` lies in the page from `offset` on, by the type
            // invariants is there to be read, and is the caller's own memory on the other side.
            unsafe { copy_from_page(page.add(offset.min(PAGE_SIZE)), to) }
        });
    }

    /// Copies `from` to where `offset` says.
    ///
    /// Aligned words of eight bytes are written whole. What does not lie in the page is left out.
    ///
    /// # Errors
    ///
    /// `EPERM` for a page that was got to read.
    ///
    /// Context: any.
    #[inline]
    pub fn write(&mut self, offset: usize, from: &[u8]) -> Result {
        if !self.writable {
            return Err(EPERM);
        }
        let Some(from) = from.get(..in_page(offset, from.len())) else {
            return Ok(());
        };
        self.mapped(|page| {
            // SAFETY: What is left of `from` lies in the page from `offset` on, which by the type
            // invariants may be written, and is the caller's own memory on the other side.
            unsafe { copy_to_page(from, page.add(offset.min(PAGE_SIZE))) }
        });
        Ok(())
    }

    /// The page's frame number, for the tables of a device.
    #[inline]
    pub fn pfn(&self) -> usize {
        // SAFETY: By the type invariants the page is there.
        unsafe { ffi::mmu_notifier_helper_page_to_pfn(self.page.as_ptr()) }
    }

    /// Whether it may be written.
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    #[inline]
    fn mapped(&self, with: impl FnOnce(*mut u8)) {
        // SAFETY: By the type invariants the page is there; unmapped below on the same CPU, in the
        // reverse order of mapping.
        let page = unsafe { bindings::kmap_local_page(self.page.as_ptr()) };
        with(page.cast());
        // SAFETY: Mapped above.
        unsafe { bindings::kunmap_local(page) };
    }
}

/// How many of `len` bytes from `offset` on lie in a page.
#[inline]
fn in_page(offset: usize, len: usize) -> usize {
    len.min(PAGE_SIZE.saturating_sub(offset))
}

const WORD: usize = size_of::<u64>();

/// Copies from memory that user space may be changing; aligned words whole.
///
/// # Safety
///
/// `from` must be valid for reads of `to.len()` bytes that do not overlap `to`.
#[inline]
unsafe fn copy_from_page(from: *const u8, to: &mut [u8]) {
    let mut from = from;
    let mut to = to;
    while !to.is_empty() {
        let (now, rest) = match to.len() {
            WORD.. if from.addr() % WORD == 0 => to.split_at_mut(WORD),
            _ => to.split_at_mut(1),
        };
        match <&mut [u8; WORD]>::try_from(&mut *now) {
            // SAFETY: Aligned, and a word is left.
            Ok(word) => *word = unsafe { from.cast::<u64>().read_volatile() }.to_ne_bytes(),
            // SAFETY: A byte is left.
            Err(_) => now.fill(unsafe { from.read_volatile() }),
        }
        // SAFETY: At most one behind the last byte.
        from = unsafe { from.add(now.len()) };
        to = rest;
    }
}

/// Copies to memory that user space may be reading; aligned words whole.
///
/// # Safety
///
/// `to` must be valid for writes of `from.len()` bytes that do not overlap `from`.
#[inline]
unsafe fn copy_to_page(from: &[u8], to: *mut u8) {
    let mut from = from;
    let mut to = to;
    while let Some(&byte) = from.first() {
        let done = match from.first_chunk::<WORD>() {
            Some(word) if to.addr() % WORD == 0 => {
                // SAFETY: Aligned, and a word is left.
                unsafe { to.cast::<u64>().write_volatile(u64::from_ne_bytes(*word)) };
                WORD
            }
            _ => {
                // SAFETY: A byte is left.
                unsafe { to.write_volatile(byte) };
                1
            }
        };
        // SAFETY: At most one behind the last byte.
        to = unsafe { to.add(done) };
        from = from.get(done..).unwrap_or_default();
    }
}
