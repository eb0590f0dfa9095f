// SPDX-License-Identifier: GPL-2.0

//! What a TLB keeps beside its translations: which of them takes which place, and counts.

use core::ops::Range as Span;
use kernel::{
    prelude::*,
    sync::lock::spinlock::SpinLockBackend, //
};
use mmu_notifier::{
    MirrorOps,
    Range,
    Table,
    PAGE_SIZE, //
};

/// `struct gru_stats`.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) misses: u64,
    pub(crate) drop_ins: u64,
    pub(crate) refused: u64,
    pub(crate) waits: u64,
    flush_page: u64,
    flush_range: u64,
    pages_flushed: u64,
}

impl Stats {
    /// As user space reads them.
    pub(crate) fn as_words(&self, released: bool) -> [u64; 8] {
        [
            self.misses,
            self.drop_ins,
            self.refused,
            self.waits,
            self.flush_page,
            self.flush_range,
            self.pages_flushed,
            released.into(),
        ]
    }
}

/// The places of a TLB, under the lock of its mirror.
///
/// A page whose translation is in the table has one place, but for the moment between its drop-in
/// and [`Cache::place`].
pub(crate) struct Cache {
    places: KVVec<Option<usize>>,
    /// The place to give away next if none is free.
    hand: usize,
    pub(crate) stats: Stats,
}

impl Cache {
    pub(crate) fn new(entries: usize) -> Result<Self> {
        Ok(Self {
            places: KVVec::from_elem(None, entries, GFP_KERNEL)?,
            hand: 0,
            stats: Stats::default(),
        })
    }

    /// Gives `page` a place; returns the page that had to leave it, the oldest.
    pub(crate) fn place(&mut self, page: usize) -> Option<usize> {
        if self.places.contains(&Some(page)) {
            return None;
        }
        if let Some(free) = self.places.iter_mut().find(|place| place.is_none()) {
            *free = Some(page);
            return None;
        }
        let victim = self.places[self.hand].replace(page);
        self.hand = (self.hand + 1) % self.places.len();
        victim
    }

    /// The address space has the translations of `span` dropped, which are still in `table`.
    fn flushed(&mut self, table: &Table, span: Span<usize>) {
        let dropped = table.iter(span.clone()).count();
        if dropped == 0 {
            return;
        }
        if span.end - span.start > PAGE_SIZE {
            self.stats.flush_range += 1;
        } else {
            self.stats.flush_page += 1;
        }
        self.stats.pages_flushed += dropped as u64;
        self.vacate(span);
    }

    /// Frees the places of the pages in `span`.
    pub(crate) fn vacate(&mut self, span: Span<usize>) {
        for place in self.places.iter_mut() {
            if place.is_some_and(|page| span.contains(&page)) {
                *place = None;
            }
        }
    }
}

/// How the TLB takes part in an invalidation, in either model.
pub(crate) struct Unit;

#[vtable]
impl MirrorOps for Unit {
    type State = Cache;
    type Lock = SpinLockBackend;

    fn invalidate(&self, cache: &mut Cache, table: &Table, range: &Range<'_>) {
        cache.flushed(table, range.start()..range.end());
    }

    fn flush(&self, cache: &mut Cache, table: &Table, start: usize, end: usize) {
        cache.flushed(table, start..end);
    }

    fn release(&self, cache: &mut Cache) {
        cache.vacate(0..usize::MAX);
    }
}
