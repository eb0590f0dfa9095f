// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Identical pages that the kernel merges into one.
//!
//! Two regions hold the same bytes in every page, and the guest only reads
//! them until ksmd has merged them. Then it writes one region: a stale
//! writable translation to a merged page changes the other region too, and a
//! stale translation to the page that was there before loses the write.

use super::{Job, Operation, Round};
use crate::abi;
use crate::guest;
use crate::host::{End, Host};
use crate::pages::{self, Pages};
use crate::region::{Plan, Region, PAGE};
use std::fs;

/// ksmd compares pages one by one: fewer of them, more rounds.
const SHARE: usize = 4;
const RUN_FILE: &str = "/sys/kernel/mm/ksm/run";

struct Ksm<'a> {
    written: Region<'a>,
    read: Region<'a>,
    map: Pages,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let lines_of_a_page = (PAGE / guest::LINE) as u32;
    let plan = |name| Plan {
        tag_mask: lines_of_a_page - 1,
        ..Plan::new(name, pages.div_ceil(SHARE))
    };
    let written = Region::new(host, index, plan("ksm_written"))?;
    let read = Region::new(host, index + 1, plan("ksm_read"))?;
    if fs::read_to_string(RUN_FILE).is_ok_and(|run| run.trim() == "1") {
        for region in [&written, &read] {
            host.memory
                .advise(region.start(), region.bytes(), abi::MADV_MERGEABLE)?;
        }
        Ok(Box::new(Ksm {
            written,
            read,
            map: Pages::new(pages)?,
        }))
    } else {
        Err(End::Unable(format!(
            "ksmd does not run: echo 1 > {RUN_FILE}"
        )))
    }
}

impl Operation for Ksm<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let Self { written, read, map } = self;
        let mut bytes = written.pause_and_verify()? + read.pause_and_verify()?;
        let generation = written.next_generation().max(read.next_generation());
        for region in [&*written, read] {
            region.lines.fill(&region.host.memory, generation);
            region.set_generation(generation);
            region.command(guest::READ)?;
        }

        let merged = wait_until_merged(map, written, read)?;
        let before = read.sweeps();
        written.command(guest::RUN)?;
        written.wait_sweep()?;
        read.host.wait(|_| read.swept_since(before))?;
        bytes += written.pause_and_verify()?;
        bytes += read.pause_and_verify()?;
        Ok(Round {
            pages: merged,
            bytes,
        })
    }
}

/// Waits until most pages of both regions are merged, which takes ksmd some
/// scans, and returns their number. The guest's loops are the clock.
fn wait_until_merged(map: &mut Pages, written: &Region, read: &Region) -> Result<usize, End> {
    loop {
        let (a, b) = (
            map.with_flag(written, pages::KSM)?,
            map.with_flag(read, pages::KSM)?,
        );
        if a > written.pages / 2 && b > read.pages / 2 {
            return Ok(a + b);
        }
        read.wait_sweep()?;
    }
}
