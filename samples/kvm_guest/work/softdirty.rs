// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which pages has the guest written?
//!
//! Clearing the soft-dirty marks takes away the right to write, so that the
//! next write is noticed. After a sweep every page must be marked again: a
//! stale writable translation writes unnoticed.

use super::{Job, Operation, Round};
use crate::check::Wrong;
use crate::guest;
use crate::host::{End, Host};
use crate::pages::{self, Pages};
use crate::region::{Plan, Region, PAGE};
use std::fs::File;
use std::io::Write;

const CLEAR_SOFT_DIRTY: &[u8] = b"4";

struct SoftDirty<'a> {
    region: Region<'a>,
    map: Pages,
    clear_refs: File,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("softdirty", pages))?;
    let clear_refs = pages::open("/proc/self/clear_refs", true)?;
    Ok(Box::new(SoftDirty {
        region,
        map: Pages::new(pages)?,
        clear_refs,
    }))
}

impl Operation for SoftDirty<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        let bytes = region.pause_and_verify()?;
        {
            let _alone = region.host.lock_whole_process();
            self.clear_refs.write_all(CLEAR_SOFT_DIRTY)?;
        }
        let clean = self
            .map
            .of(&region)?
            .filter(|page| !page.soft_dirty())
            .count();

        region.command(guest::RUN)?;
        region.wait_sweep()?;
        region.command(guest::PAUSE)?;
        let unnoticed = self.map.of(&region)?.position(|page| !page.soft_dirty());
        if let Some(number) = unnoticed {
            return Err(End::Wrong(Wrong {
                region: "softdirty",
                seen_by: "host_written_page_called_clean",
                address: region.start() + number * PAGE,
                expected: 1,
                seen: 0,
                words: 1,
            }));
        }
        region.command(guest::RUN)?;
        Ok(Round {
            pages: clean,
            bytes: bytes + region.settle()?,
        })
    }
}
