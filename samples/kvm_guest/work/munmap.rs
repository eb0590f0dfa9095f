// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Other memory at the same place.
//!
//! The paused guest's pages are unmapped and new ones with a new generation
//! take their place. A stale translation shows the guest the old generation,
//! and the host misses what the guest then writes.

use super::{Job, Operation, Round};
use crate::guest;
use crate::host::{End, Host};
use crate::pages::Pages;
use crate::region::{Plan, Region};

struct Munmap<'a> {
    region: Region<'a>,
    map: Pages,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("munmap", pages))?;
    Ok(Box::new(Munmap {
        region,
        map: Pages::new(pages)?,
    }))
}

impl Operation for Munmap<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        let bytes = region.pause_and_verify()?;
        region.host.memory.replace(region.start(), region.bytes())?;
        region.advise()?;
        let pages = self.map.of(&region)?.filter(|page| page.is_empty()).count();
        region.renew();
        region.command(guest::RUN)?;
        Ok(Round {
            pages,
            bytes: bytes + region.settle()?,
        })
    }
}
