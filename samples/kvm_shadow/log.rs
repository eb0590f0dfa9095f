// SPDX-License-Identifier: GPL-2.0

//! The dirty log of a slot: a bit for each guest page.

use kernel::prelude::*;

/// A bitmap, in the words that user space reads.
pub(crate) struct DirtyLog(KVVec<u64>);

impl DirtyLog {
    /// Returns an empty log for this many pages. Context: may sleep.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        let words = pages.div_ceil(u64::BITS as usize);
        Ok(Self(KVVec::from_elem(0, words, GFP_KERNEL)?))
    }

    /// Notes that a page was written to.
    pub(crate) fn mark(&mut self, page: usize) {
        self.0[page / u64::BITS as usize] |= 1 << (page % u64::BITS as usize);
    }

    /// Notes what the other log holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// The words, as they lie in memory.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice().as_bytes()
    }
}
