// SPDX-License-Identifier: GPL-2.0

//! Ids of segments and permits: the process in the low half, a count in the high one.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    task::Pid, //
};

const COUNT_MAX: u64 = i32::MAX as u64;

/// Counts the ids of all processes, so that a process does not get those of an earlier one with its
/// number.
pub(crate) struct Ids(Atomic<u64>);

impl Ids {
    pub(crate) fn new() -> Self {
        Ids(Atomic::new(0))
    }

    /// The next id of a process; positive, and not given out again before two thousand million
    /// others.
    pub(crate) fn next(&self, tgid: Pid) -> i64 {
        let count = self.0.fetch_add(1, Relaxed) % COUNT_MAX + 1;
        ((count << 32) | u64::from(tgid as u32)) as i64
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
