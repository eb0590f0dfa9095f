// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the kernel says about single pages of this process.

use crate::host::End;
use crate::region::{Region, PAGE};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const SOFT_DIRTY: u64 = 1 << 55;
const FRAME: u64 = (1 << 55) - 1;

/// Bits of `/proc/kpageflags`.
pub const KSM: u64 = 1 << 21;
pub const THP: u64 = 1 << 22;

/// One entry of `/proc/self/pagemap`.
#[derive(Clone, Copy)]
pub struct Entry(u64);

impl Entry {
    /// The page frame number of a present page.
    pub fn frame(self) -> Option<u64> {
        (self.0 & PRESENT != 0).then_some(self.0 & FRAME)
    }

    /// Neither a page nor anything in its place.
    pub fn is_empty(self) -> bool {
        self.0 & (PRESENT | SWAPPED) == 0
    }

    pub fn swapped(self) -> bool {
        self.0 & SWAPPED != 0
    }

    pub fn soft_dirty(self) -> bool {
        self.0 & SOFT_DIRTY != 0
    }
}

/// Reads the page maps of one region.
pub struct Pages {
    pagemap: File,
    kpageflags: File,
    buffer: Vec<u8>,
}

impl Pages {
    /// Room for a region of `pages`; the rest of the run allocates nothing.
    pub fn new(pages: usize) -> Result<Self, End> {
        Ok(Self {
            pagemap: open("/proc/self/pagemap", false)?,
            kpageflags: open("/proc/kpageflags", false)?,
            buffer: vec![0; pages * 8],
        })
    }

    /// The entries of `count` pages from a host address on.
    pub fn entries(
        &mut self,
        address: usize,
        count: usize,
    ) -> Result<impl Iterator<Item = Entry> + '_, End> {
        let buffer = &mut self.buffer[..count * 8];
        self.pagemap
            .read_exact_at(buffer, (address / PAGE * 8) as u64)?;
        Ok(buffer.chunks_exact(8).map(|bytes| Entry(word(bytes))))
    }

    /// The entries of a region's pages.
    pub fn of(&mut self, region: &Region) -> Result<impl Iterator<Item = Entry> + '_, End> {
        self.entries(region.host.memory.address(region.start()), region.pages)
    }

    /// How many of the region's pages are on a page frame with this flag.
    pub fn with_flag(&mut self, region: &Region, flag: u64) -> Result<usize, End> {
        drop(self.of(region)?);
        let mut count = 0;
        for bytes in self.buffer[..region.pages * 8].chunks_exact(8) {
            if let Some(frame) = Entry(word(bytes)).frame() {
                let mut flags = [0; 8];
                self.kpageflags.read_exact_at(&mut flags, frame * 8)?;
                count += usize::from(u64::from_ne_bytes(flags) & flag != 0);
            }
        }
        Ok(count)
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
}

/// Opens a file of the kernel that an operation needs.
pub fn open(path: &str, write: bool) -> Result<File, End> {
    File::options()
        .read(true)
        .write(write)
        .open(path)
        .map_err(|e: io::Error| End::Unable(format!("{path}: {e}")))
}
