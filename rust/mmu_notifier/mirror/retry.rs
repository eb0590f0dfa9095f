// SPDX-License-Identifier: GPL-2.0

//! The collision-retry protocol of mirrors of a whole address space, as KVM has it.
//!
//! All of it happens under the mirror's lock.

/// Which ranges are active, and how many invalidations there were.
pub(crate) struct Retry {
    seq: u64,
    active: usize,
    /// Spans all active ranges; empty if there are none.
    span: core::ops::Range<usize>,
}

/// The count when a look-up began.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot(u64);

impl Retry {
    #[inline]
    pub(crate) fn new() -> Self {
        Retry {
            seq: 0,
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
    pub(crate) fn end(&mut self) -> bool {
        // What was looked up while it was active is too old even now.
        self.seq = self.seq.wrapping_add(1);
        self.active = self.active.saturating_sub(1);
        self.active == 0
    }

    /// Something was invalidated at once: the TLB-flush model.
    #[inline]
    pub(crate) fn flush(&mut self) {
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

    /// Whether what was looked up at `addr` since `begun` may be gone.
    #[inline]
    pub(crate) fn collided(&self, begun: Snapshot, addr: usize) -> bool {
        self.seq != begun.0 || self.is_active(addr)
    }
}
