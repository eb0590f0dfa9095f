// SPDX-License-Identifier: GPL-2.0

//! The latest calls, and counts of all.

use core::ops::Range as Span;
use kernel::prelude::*;

use crate::adapter::Operation;

/// How many calls are kept: `EMM_RECORDS`.
pub(crate) const RECORDS: usize = 1024;

const RELEASE: usize = 0;
const INVALIDATE_START: usize = 1;
const INVALIDATE_END: usize = 2;
const REFERENCED: usize = 3;
const OPERATIONS: usize = 4;

const BLOCKABLE: u64 = 1;

/// One call as user space sees it: `struct emm_record`.
pub(crate) type Record = [u64; 5];

/// What user space sees of the counts: `struct emm_counts`.
pub(crate) type Counts = [u64; OPERATIONS + 2];

/// A ring of the latest calls.
pub(crate) struct Log {
    window: Span<usize>,
    /// The call of order `n` is at `n % RECORDS`.
    ring: KVVec<Record>,
    /// The orders that are in the ring.
    kept: Span<u64>,
    lost: u32,
    calls: [u64; OPERATIONS],
    active: u64,
    unpaired: u64,
    pub(crate) answer: bool,
}

impl Log {
    /// An empty log of every address.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            window: 0..usize::MAX,
            ring: KVVec::from_elem(Record::default(), RECORDS, GFP_KERNEL)?,
            kept: 0..0,
            lost: 0,
            calls: [0; OPERATIONS],
            active: 0,
            unpaired: 0,
            answer: false,
        })
    }

    /// Forgets everything, and heeds only calls that touch `window` from now on.
    pub(crate) fn restart(&mut self, window: Span<usize>) {
        self.window = window;
        self.kept = 0..0;
        self.lost = 0;
        self.calls = [0; OPERATIONS];
        self.active = 0;
        self.unpaired = 0;
    }

    /// Takes a call down; a full ring loses its oldest.
    pub(crate) fn add(&mut self, operation: &Operation<'_, '_>, range: &Span<usize>) {
        let (code, blockable) = match operation {
            Operation::Release => (RELEASE, true),
            Operation::InvalidateStart(range) => (INVALIDATE_START, range.blockable().is_ok()),
            Operation::InvalidateEnd(range) => (INVALIDATE_END, range.blockable().is_ok()),
            Operation::Referenced => (REFERENCED, false),
        };
        if range.start >= self.window.end || range.end <= self.window.start {
            return;
        }
        self.count(code);

        let order = self.kept.end;
        self.ring[(order % RECORDS as u64) as usize] = [
            order,
            range.start as u64,
            range.end as u64,
            code as u64,
            if blockable { BLOCKABLE } else { 0 },
        ];
        self.kept.end += 1;
        if self.kept.end - self.kept.start > RECORDS as u64 {
            self.kept.start += 1;
            self.lost = self.lost.saturating_add(1);
        }
    }

    fn count(&mut self, code: usize) {
        self.calls[code] += 1;
        match code {
            INVALIDATE_START => self.active += 1,
            INVALIDATE_END if self.active > 0 => self.active -= 1,
            INVALIDATE_END => self.unpaired += 1,
            _ => {}
        }
    }

    /// Copies the oldest calls, as many as `out` has room for, and tells how many.
    pub(crate) fn copy(&self, out: &mut [Record]) -> usize {
        let orders = self.kept.clone();
        let mut count = 0;
        for (slot, order) in out.iter_mut().zip(orders) {
            *slot = self.ring[(order % RECORDS as u64) as usize];
            count += 1;
        }
        count
    }

    /// Drops every call up to that of `record`.
    pub(crate) fn drop_until(&mut self, record: &Record) {
        self.kept.start = self.kept.start.max(record[0] + 1);
    }

    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    pub(crate) fn counts(&self) -> Counts {
        let [release, start, end, referenced] = self.calls;
        [release, start, end, referenced, self.active, self.unpaired]
    }
}
