// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The host's side: each operation has its region of the guest's memory and
//! a thread of its own that repeats it while the guest uses the region.
//!
//! Each operation is made so that a missed invalidation, which leaves the
//! guest on a page or with a permission that it should have lost, shows as a
//! wrong byte; the head of each file says how. A round counts only when the
//! kernel itself shows that the operation has happened.

use crate::host::{End, Host};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

mod age;
mod fork;
mod ksm;
mod migrate;
mod mprotect;
mod mremap;
mod munmap;
mod pressure;
mod reclaim;
mod softdirty;
mod thp;

/// What a round has come to.
pub struct Round {
    /// Pages to which it really happened; a round with none does not count.
    pub pages: usize,
    /// Bytes that the host compared.
    pub bytes: u64,
}

/// An operation that is ready to be repeated.
trait Operation {
    fn round(&mut self) -> Result<Round, End>;
}

/// Makes the regions first, so that the guest's table has no hole even if the
/// operation turns out to be impossible.
type Prepare = for<'a> fn(&'a Host, usize, usize) -> Result<Job<'a>, End>;

/// An operation for a thread.
type Job<'a> = Box<dyn Operation + Send + 'a>;

/// A kind of operation.
pub struct Kind {
    pub name: &'static str,
    /// What `pages` counts.
    pub effect: &'static str,
    /// Entries of the guest's table that it uses.
    pub regions: usize,
    prepare: Prepare,
}

/// All kinds.
pub static KINDS: [Kind; 11] = [
    Kind {
        name: "mprotect",
        effect: "pages_protected",
        regions: 1,
        prepare: mprotect::prepare,
    },
    Kind {
        name: "munmap",
        effect: "pages_replaced",
        regions: 1,
        prepare: munmap::prepare,
    },
    Kind {
        name: "mremap",
        effect: "pages_moved_in",
        regions: 1,
        prepare: mremap::prepare,
    },
    Kind {
        name: "fork",
        effect: "pages_copied_on_write",
        regions: 1,
        prepare: fork::prepare,
    },
    Kind {
        name: "ksm",
        effect: "pages_merged",
        regions: 2,
        prepare: ksm::prepare,
    },
    Kind {
        name: "migrate",
        effect: "pages_migrated",
        regions: 1,
        prepare: migrate::prepare,
    },
    Kind {
        name: "reclaim",
        effect: "pages_swapped_out",
        regions: 1,
        prepare: reclaim::prepare,
    },
    Kind {
        name: "pressure",
        effect: "pages_reclaimed",
        regions: 1,
        prepare: pressure::prepare,
    },
    Kind {
        name: "age",
        effect: "pages_seen_young",
        regions: 1,
        prepare: age::prepare,
    },
    Kind {
        name: "softdirty",
        effect: "pages_seen_dirty",
        regions: 1,
        prepare: softdirty::prepare,
    },
    Kind {
        name: "thp",
        effect: "pages_collapsed_and_split",
        regions: 1,
        prepare: thp::prepare,
    },
];

/// What a kind has done so far.
#[derive(Default)]
pub struct Tally {
    pub done: AtomicU64,
    pub not_done: AtomicU64,
    pub pages: AtomicU64,
    pub bytes: AtomicU64,
}

impl Tally {
    fn note(&self, round: &Round) {
        let count = if round.pages > 0 {
            &self.done
        } else {
            &self.not_done
        };
        count.fetch_add(1, Relaxed);
        self.pages.fetch_add(round.pages as u64, Relaxed);
        self.bytes.fetch_add(round.bytes, Relaxed);
    }
}

impl Kind {
    /// Prepares the operation on the regions from `index` on, each of `pages`.
    pub fn prepare<'a>(
        &self,
        host: &'a Host,
        index: usize,
        pages: usize,
    ) -> Result<Worker<'a>, End> {
        (self.prepare)(host, index, pages).map(Worker)
    }
}

/// A prepared operation.
pub struct Worker<'a>(Job<'a>);

impl Worker<'_> {
    /// Repeats it until the end.
    pub fn work(mut self, tally: &Tally) -> End {
        loop {
            match self.0.round() {
                Ok(round) => tally.note(&round),
                Err(end) => return end,
            }
        }
    }
}
