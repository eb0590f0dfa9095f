// SPDX-License-Identifier: GPL-2.0

//! The dirty log of a slot: a bit for each guest page.

use core::mem;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// A bitmap, in the words that user space reads.
pub(crate) struct DirtyLog {
    words: KVVec<u64>,
    /// Tells it from the logs of slots that come to stand in the same place.
    id: u64,
}

impl DirtyLog {
    /// Returns an empty log for this many pages. Context: may sleep.
    pub(crate) fn new(pages: usize) -> Result<Self> {
        static NEXT: Atomic<u64> = Atomic::new(0);
        let words = pages.div_ceil(u64::BITS as usize);
        Ok(Self {
            words: KVVec::from_elem(0, words, GFP_KERNEL)?,
            id: NEXT.fetch_add(1, Relaxed),
        })
    }

    /// Notes that a page was written to.
    pub(crate) fn mark(&mut self, page: usize) {
        let bits = u64::BITS as usize;
        if let Some(word) = self.words.get_mut(page / bits) {
            *word |= 1 << (page % bits);
        }
    }

    /// Moves what it holds to a log that is empty and as long.
    pub(crate) fn empty_into(&mut self, taken: &mut Self) {
        mem::swap(&mut self.words, &mut taken.words);
        taken.id = self.id;
    }

    /// Notes again what was taken from it, if it is still the same log.
    pub(crate) fn take_back(&mut self, taken: &Self) {
        if self.id == taken.id {
            for (word, more) in self.words.iter_mut().zip(&taken.words) {
                *word |= more;
            }
        }
    }

    /// The words, as they lie in memory.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.words.as_slice().as_bytes()
    }
}
