// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Small pages collapsed into a huge one, and a huge one split.
//!
//! Collapsing copies the pages: a stale translation leaves the guest on the
//! old ones, and the host misses its writes.

use super::{Job, Operation, Round};
use crate::abi;
use crate::host::{End, Host};
use crate::pages::{self, Pages};
use crate::region::{Plan, Region, HUGE, PAGE};
use std::fs::File;
use std::io::{self, Write};

struct Thp<'a> {
    region: Region<'a>,
    map: Pages,
    split: File,
    /// What to write into `split`.
    range: String,
}

pub fn prepare(host: &Host, index: usize, _pages: usize) -> Result<Job<'_>, End> {
    let plan = Plan {
        huge: true,
        ..Plan::new("thp", HUGE / PAGE)
    };
    let region = Region::new(host, index, plan)?;
    let start = host.memory.address(region.start());
    Ok(Box::new(Thp {
        region,
        map: Pages::new(region.pages)?,
        split: pages::open("/sys/kernel/debug/split_huge_pages", true)?,
        range: format!("{},{start:#x},{:#x}", std::process::id(), start + HUGE),
    }))
}

impl Operation for Thp<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        let collapsed = match region
            .host
            .memory
            .advise(region.start(), HUGE, abi::MADV_COLLAPSE)
        {
            Ok(()) => self.map.with_flag(&region, pages::THP)?,
            // A page was in use or swapped out at that moment.
            Err(e) if matches!(e.raw_os_error(), Some(abi::EAGAIN | abi::EINVAL)) => 0,
            Err(e) => return Err(e.into()),
        };
        let mut bytes = region.settle()?;
        self.split()?;
        let left = self.map.with_flag(&region, pages::THP)?;
        bytes += region.settle()?;
        Ok(Round {
            pages: collapsed.saturating_sub(left),
            bytes,
        })
    }
}

impl Thp<'_> {
    fn split(&mut self) -> io::Result<()> {
        match self.split.write_all(self.range.as_bytes()) {
            Err(e) if e.raw_os_error() == Some(abi::EAGAIN) => Ok(()),
            other => other,
        }
    }
}
