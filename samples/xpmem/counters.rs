// SPDX-License-Identifier: GPL-2.0

//! How many pages are in attachments, as `/proc/xpmem` tells.

use kernel::{
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use mmu_notifier::proc::Show;

/// Pages of all exporters: `/proc/xpmem/global_pages`.
pub(crate) struct Global {
    entered: Atomic<u64>,
    left: Atomic<u64>,
}

/// Pages of one exporter: `/proc/xpmem/TGID`.
pub(crate) struct Pages(Atomic<u64>);

impl Global {
    pub(crate) fn new() -> Self {
        Global {
            entered: Atomic::new(0),
            left: Atomic::new(0),
        }
    }
}

impl Pages {
    pub(crate) fn new() -> Self {
        Pages(Atomic::new(0))
    }
}

/// Pages enter an attachment, or leave it.
pub(crate) fn entered(global: &Global, pages: &Pages) {
    global.entered.fetch_add(1, Relaxed);
    pages.0.fetch_add(1, Relaxed);
}

/// See [`entered`].
pub(crate) fn left(global: &Global, pages: &Pages, count: usize) {
    let count = count as u64;
    global.left.fetch_add(count, Relaxed);
    pages.0.fetch_sub(count, Relaxed);
}

// Nothing is pinned: the lines have the names that existing users look for.

impl Show for Global {
    fn show(&self, file: &SeqFile) {
        let left = self.left.load(Relaxed);
        let entered = self.entered.load(Relaxed);
        seq_print!(file, "all pages pinned by XPMEM: {entered}\n");
        seq_print!(file, "all pages unpinned by XPMEM: {left}\n");
    }
}

impl Show for Pages {
    fn show(&self, file: &SeqFile) {
        seq_print!(file, "pages pinned by XPMEM: {}\n", self.0.load(Relaxed));
    }
}
