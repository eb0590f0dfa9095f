// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Read-only for a while.
//!
//! Once mprotect() has returned, nothing can write until the window closes.
//! A stale writable translation lets the guest go on: then it finishes sweeps
//! without being refused, and the bytes differ from the snapshot.

use super::{Job, Operation, Round};
use crate::check::Wrong;
use crate::host::{End, Host};
use crate::region::{Plan, Region};

struct Mprotect<'a> {
    region: Region<'a>,
    snapshot: Vec<u32>,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("mprotect", pages))?;
    Ok(Box::new(Mprotect {
        region,
        snapshot: vec![0; region.lines.count],
    }))
}

impl Operation for Mprotect<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let Region { host, lines, .. } = self.region;
        let (start, len) = (self.region.start(), self.region.bytes());

        host.open_window(start..start + len);
        host.memory.protect(start, len, false)?;
        lines.snapshot(&host.memory, &mut self.snapshot);
        let before = self.region.sweeps();
        host.wait(|window| window.faulted || self.region.swept_since(before))?;
        if self.region.swept_since(before) {
            return Err(End::Wrong(self.never_refused()));
        }
        let bytes = lines.unchanged(&host.memory, &self.snapshot, "host_in_read_only_window")?;
        host.memory.protect(start, len, true)?;
        host.close_window();
        Ok(Round {
            pages: self.region.pages,
            bytes: bytes + self.region.settle()?,
        })
    }
}

impl Mprotect<'_> {
    /// Whole sweeps were written through the read-only mapping.
    fn never_refused(&self) -> Wrong {
        Wrong {
            region: "mprotect",
            seen_by: "host_guest_write_not_refused",
            address: self.region.start(),
            expected: self.snapshot[0],
            seen: self.region.generation(),
            words: self.region.lines.count as u64,
        }
    }
}
