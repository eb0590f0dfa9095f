// SPDX-License-Identifier: GPL-2.0

//! The ioctls and their arguments, laid out as in `kvm_shadow.h`.
//!
//! What is read here is complete but not yet checked, except for what has one meaning only. The
//! interface is for 64-bit machines: a `__u64` is a `usize`.

use kernel::{
    ioctl::{
        _IOR,
        _IOW, //
    },
    prelude::*,
    uaccess::UserSliceReader, //
};

const MAGIC: u32 = 0xB6;

pub(crate) const SET_SLOT: u32 = _IOW::<[u64; 4]>(MAGIC, 0);
pub(crate) const READ: u32 = _IOW::<[u64; 3]>(MAGIC, 1);
pub(crate) const WRITE: u32 = _IOW::<[u64; 3]>(MAGIC, 2);
pub(crate) const PEEK: u32 = _IOW::<[u64; 3]>(MAGIC, 3);
pub(crate) const STATE: u32 = _IOW::<[u64; 3]>(MAGIC, 4);
pub(crate) const GET_DIRTY: u32 = _IOW::<[u64; 2]>(MAGIC, 5);
pub(crate) const STATS: u32 = _IOR::<[u64; 6]>(MAGIC, 6);

pub(crate) const SLOTS: usize = 32;
pub(crate) const SLOT_PAGES: usize = 1 << 22;

pub(crate) const READONLY: u32 = 1;
pub(crate) const LOG_DIRTY: u32 = 2;

pub(crate) const PRESENT: u8 = 1;
pub(crate) const WRITABLE: u8 = 2;
pub(crate) const YOUNG: u8 = 4;
pub(crate) const DIRTY: u8 = 8;

/// `struct kvm_shadow_slot`.
pub(crate) struct Slot {
    pub(crate) guest: usize,
    pub(crate) size: usize,
    pub(crate) user: usize,
    pub(crate) number: u32,
    pub(crate) flags: u32,
}

impl Slot {
    /// Reads it from the caller's memory.
    pub(crate) fn read(mut reader: UserSliceReader) -> Result<Self> {
        let [guest, size, user]: [usize; 3] = reader.read()?;
        let [number, flags]: [u32; 2] = reader.read()?;
        Ok(Self {
            guest,
            size,
            user,
            number,
            flags,
        })
    }
}

/// `struct kvm_shadow_memory`.
pub(crate) struct Memory {
    pub(crate) guest: usize,
    pub(crate) length: usize,
    pub(crate) buffer: usize,
}

impl Memory {
    /// Reads it from the caller's memory.
    pub(crate) fn read(mut reader: UserSliceReader) -> Result<Self> {
        let [guest, length, buffer]: [usize; 3] = reader.read()?;
        Ok(Self {
            guest,
            length,
            buffer,
        })
    }
}

/// `struct kvm_shadow_state`.
pub(crate) struct State {
    pub(crate) guest: usize,
    pub(crate) pages: usize,
    pub(crate) states: usize,
}

impl State {
    /// Reads it from the caller's memory.
    pub(crate) fn read(mut reader: UserSliceReader) -> Result<Self> {
        let [guest, pages, states]: [usize; 3] = reader.read()?;
        Ok(Self {
            guest,
            pages,
            states,
        })
    }
}

/// `struct kvm_shadow_dirty`.
pub(crate) struct Dirty {
    pub(crate) number: u32,
    pub(crate) bitmap: usize,
}

impl Dirty {
    /// Reads it from the caller's memory; its padding must be 0.
    pub(crate) fn read(mut reader: UserSliceReader) -> Result<Self> {
        let [number, pad]: [u32; 2] = reader.read()?;
        let bitmap = reader.read()?;
        if pad != 0 {
            return Err(EINVAL);
        }
        Ok(Self { number, bitmap })
    }
}

/// `struct kvm_shadow_stats`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stats {
    pub(crate) faults: u64,
    pub(crate) retries: u64,
    pub(crate) invalidations: u64,
    pub(crate) pages_dropped: u64,
    pub(crate) aged: u64,
    pub(crate) released: u64,
}

impl Stats {
    /// Returns them in the order of the structure.
    pub(crate) fn to_words(self) -> [u64; 6] {
        [
            self.faults,
            self.retries,
            self.invalidations,
            self.pages_dropped,
            self.aged,
            self.released,
        ]
    }
}
