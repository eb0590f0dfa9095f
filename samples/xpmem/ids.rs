// SPDX-License-Identifier: GPL-2.0

//! Ids of segments and permits: the process in the low half, a count in the high one.

use kernel::{
    prelude::*,
    task::Pid, //
};

const COUNT_MAX: u32 = i32::MAX as u32;

/// Where a process starts to count once more than this was used up: what used the low counts is
/// long gone.
const COUNT_WRAP: u32 = COUNT_MAX / 2;

/// The ids of one process.
pub(crate) struct Ids {
    tgid: Pid,
    last: u32,
}

impl Ids {
    /// Ids for a process, none of which was used by an earlier one with the same `tgid`.
    pub(crate) fn after(used: u32, tgid: Pid) -> Self {
        Ids {
            tgid,
            last: if used > COUNT_WRAP { 0 } else { used },
        }
    }

    /// The highest count that was used.
    pub(crate) fn used(&self) -> u32 {
        self.last
    }

    /// The next id; positive.
    ///
    /// # Errors
    ///
    /// `EBUSY` if they are used up.
    pub(crate) fn next(&mut self) -> Result<i64> {
        if self.last == COUNT_MAX {
            return Err(EBUSY);
        }
        self.last += 1;
        Ok((i64::from(self.last) << 32) | i64::from(self.tgid))
    }
}

/// Which process an id is of.
///
/// # Errors
///
/// `EINVAL` if it is not positive.
pub(crate) fn tgid_of(id: i64) -> Result<Pid> {
    if id <= 0 {
        return Err(EINVAL);
    }
    Ok(id as u32 as Pid)
}
