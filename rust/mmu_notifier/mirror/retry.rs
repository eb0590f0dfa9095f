// SPDX-License-Identifier: GPL-2.0

//! The collision-retry protocol of mirrors of a whole address space, as KVM has it.
//!
//! All of it happens under the mirror's lock.

use core::ops::Range;
use kernel::warn_on;

/// How many invalidations are remembered.
const RECENT: usize = 16;

/// Which ranges are active, and what was invalidated of late.
pub(crate) struct Retry {
    /// Counts invalidations that are done. The address of the `n`th is at `n % RECENT`.
    seq: u64,
    recent: [(usize, usize); RECENT],
    active: usize,
    /// Spans all active ranges; empty if there are none.
    span: Range<usize>,
}

/// The count when a look-up began.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot(u64);

impl Retry {
    #[inline]
    pub(crate) fn new() -> Self {
        Retry {
            seq: 0,
            recent: [(0, 0); RECENT],
            active: 0,
            span: 0..0,
        }
    }

    /// A range becomes active.
    #[inline]
    pub(crate) fn start(&mut self, start: usize, end: usize) {
        if self.active == 0 {
            self.span = start..end;
        } else {
            self.span = self.span.start.min(start)..self.span.end.max(end);
        }
        self.active += 1;
    }

    /// An active range is done. Returns whether it was the last.
    #[inline]
    pub(crate) fn end(&mut self, start: usize, end: usize) -> bool {
        // What was looked up while it was active is too old even now.
        self.done(start, end);
        if warn_on!(self.active == 0) {
            // Memory safety rests on the count: one that is wrong does not come to idle again.
            self.span = 0..usize::MAX;
            self.active = usize::MAX / 2;
        }
        self.active -= 1;
        self.active == 0
    }

    /// Something was invalidated.
    #[inline]
    pub(crate) fn done(&mut self, start: usize, end: usize) {
        self.recent[self.seq as usize % RECENT] = (start, end);
        self.seq = self.seq.wrapping_add(1);
    }

    /// Begins to look an address up.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.seq)
    }

    /// Whether `addr` may lie in an active range.
    #[inline]
    pub(crate) fn is_active(&self, addr: usize) -> bool {
        self.active != 0 && self.span.contains(&addr)
    }

    /// Whether what was looked up at `addr` since `begun` may be gone, if an invalidation of any
    /// address in `with` may mean it.
    #[inline]
    pub(crate) fn collided(&self, begun: Snapshot, addr: usize, with: &Range<usize>) -> bool {
        let since = self.seq.wrapping_sub(begun.0);
        self.is_active(addr)
            || since > RECENT as u64
            || (1..=since).any(|back| {
                let (start, end) = self.recent[self.seq.wrapping_sub(back) as usize % RECENT];
                start < with.end && with.start < end
            })
    }
}
