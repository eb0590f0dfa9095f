// SPDX-License-Identifier: GPL-2.0

//! The ioctls and their arguments, laid out as in `xpmem.h`.
//!
//! The interface is for 64-bit machines.

use core::mem::size_of;
use kernel::{
    ioctl::_IO,
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

pub(crate) const VERSION: u32 = _IO(MAGIC, 0);
pub(crate) const MAKE: u32 = _IO(MAGIC, 1);
pub(crate) const REMOVE: u32 = _IO(MAGIC, 2);
pub(crate) const GET: u32 = _IO(MAGIC, 3);
pub(crate) const RELEASE: u32 = _IO(MAGIC, 4);
pub(crate) const ATTACH: u32 = _IO(MAGIC, 5);
pub(crate) const DETACH: u32 = _IO(MAGIC, 6);
pub(crate) const FORK_BEGIN: u32 = _IO(MAGIC, 7);
pub(crate) const FORK_END: u32 = _IO(MAGIC, 8);

const MAGIC: u32 = b'x' as u32;

pub(crate) const CURRENT_VERSION: isize = 0x00026005;
pub(crate) const ERRNO_NOPROC: i32 = 2004;

const PERMIT_MODE: i32 = 1;
const GLOBAL_MODE: i32 = 2;
const MODE_MASK: u64 = 0o777;
const RDONLY: i32 = 1;
const RDWR: i32 = 2;

/// The end of the addresses of a process: the page below 2^47 is never mapped.
const USER_END: usize = (1 << 47) - PAGE_SIZE;

/// `struct xpmem_cmd_make`, checked.
pub(crate) struct Make {
    pub(crate) start: usize,
    pub(crate) size: usize,
    pub(crate) mode: u16,
}

impl Make {
    const SEGID: usize = 4;

    pub(crate) fn read(arg: UserPtr) -> Result<Self> {
        let [start, size, permit_type, permit_value]: [u64; 4] = words(arg)?;
        let start = start as usize;
        if low(permit_type) != PERMIT_MODE || permit_value & !MODE_MASK != 0 {
            return Err(EINVAL);
        }
        let size = match size {
            u64::MAX => USER_END.saturating_sub(start),
            size => size as usize,
        };
        if size == 0 || !is_aligned(start) || !is_aligned(size) {
            return Err(EINVAL);
        }
        if start.checked_add(size).is_none_or(|end| end > USER_END) {
            return Err(EINVAL);
        }
        Ok(Make {
            start,
            size,
            mode: permit_value as u16,
        })
    }

    pub(crate) fn answer(arg: UserPtr, segid: i64) -> Result {
        put_word(arg, Self::SEGID, segid as u64)
    }
}

/// `struct xpmem_cmd_get`, checked.
pub(crate) struct Get {
    pub(crate) segid: i64,
    pub(crate) write: bool,
}

impl Get {
    const APID: usize = 3;

    pub(crate) fn read(arg: UserPtr) -> Result<Self> {
        let [segid, flags_and_type, permit_value]: [u64; 3] = words(arg)?;
        let write = match low(flags_and_type) {
            RDONLY => false,
            RDWR => true,
            _ => return Err(EINVAL),
        };
        if !matches!(high(flags_and_type), PERMIT_MODE | GLOBAL_MODE) || permit_value != 0 {
            return Err(EINVAL);
        }
        Ok(Get {
            segid: segid as i64,
            write,
        })
    }

    pub(crate) fn answer(arg: UserPtr, apid: i64) -> Result {
        put_word(arg, Self::APID, apid as u64)
    }
}

/// `struct xpmem_cmd_attach`, with the size in whole pages.
pub(crate) struct Attach {
    pub(crate) apid: i64,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) at: Option<usize>,
}

impl Attach {
    const VADDR: usize = 3;

    pub(crate) fn read(arg: UserPtr) -> Result<Self> {
        let [apid, offset, size, vaddr, _fd_and_flags]: [u64; 5] = words(arg)?;
        let (offset, vaddr) = (offset as usize, vaddr as usize);
        if (offset as i64) < 0 || !is_aligned(offset) || !is_aligned(vaddr) || size == 0 {
            return Err(EINVAL);
        }
        let size = (size as usize)
            .checked_next_multiple_of(PAGE_SIZE)
            .ok_or(EINVAL)?;
        if vaddr.checked_add(size).is_none() {
            return Err(EINVAL);
        }
        Ok(Attach {
            apid: apid as i64,
            offset,
            size,
            at: (vaddr != 0).then_some(vaddr),
        })
    }

    pub(crate) fn answer(arg: UserPtr, vaddr: usize) -> Result {
        put_word(arg, Self::VADDR, vaddr as u64)
    }
}

/// Reads an argument that is one id or address.
pub(crate) fn word(arg: UserPtr) -> Result<u64> {
    let [word] = words(arg)?;
    Ok(word)
}

fn words<const N: usize>(arg: UserPtr) -> Result<[u64; N]>
where
    [u64; N]: kernel::transmute::FromBytes,
{
    UserSlice::new(arg, size_of::<[u64; N]>()).reader().read()
}

fn put_word(arg: UserPtr, index: usize, word: u64) -> Result {
    let at = arg.wrapping_byte_add(index * size_of::<u64>());
    UserSlice::new(at, size_of::<u64>()).writer().write(&word)
}

fn low(word: u64) -> i32 {
    word as u32 as i32
}

fn high(word: u64) -> i32 {
    (word >> 32) as u32 as i32
}

fn is_aligned(addr: usize) -> bool {
    addr % PAGE_SIZE == 0
}
