// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Pages swapped out under the running guest.
//!
//! A stale translation leaves the guest on a page that has been freed: the
//! host reads another from swap, without the guest's writes.

use super::{Job, Operation, Round};
use crate::abi;
use crate::host::{End, Host};
use crate::pages::Pages;
use crate::region::{Plan, Region};
use std::fs;

struct Reclaim<'a> {
    region: Region<'a>,
    map: Pages,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("reclaim", pages))?;
    // The first line is a heading.
    if fs::read_to_string("/proc/swaps")
        .unwrap_or_default()
        .lines()
        .count()
        < 2
    {
        return Err(End::Unable("no swap".into()));
    }
    Ok(Box::new(Reclaim {
        region,
        map: Pages::new(pages)?,
    }))
}

impl Operation for Reclaim<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        region
            .host
            .memory
            .advise(region.start(), region.bytes(), abi::MADV_PAGEOUT)?;
        let pages = self.map.of(&region)?.filter(|page| page.swapped()).count();
        Ok(Round {
            pages,
            bytes: region.settle()?,
        })
    }
}
