// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Other pages moved over the guest's.
//!
//! As with munmap, but the new pages come filled, by mremap(): they must be
//! the very page frames that were filled, and the guest must see them.

use super::{Job, Operation, Round};
use crate::check::Lines;
use crate::guest;
use crate::host::{End, Host};
use crate::pages::Pages;
use crate::region::{Plan, Region};
use crate::sys::Memory;

struct Mremap<'a> {
    region: Region<'a>,
    map: Pages,
    frames: Vec<Option<u64>>,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("mremap", pages))?;
    Ok(Box::new(Mremap {
        region,
        map: Pages::new(pages)?,
        frames: vec![None; pages],
    }))
}

impl Operation for Mremap<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        let bytes = region.pause_and_verify()?;

        let generation = region.next_generation();
        let fresh = Memory::new(region.bytes())?;
        Lines {
            start: 0,
            ..region.lines
        }
        .fill(&fresh, generation);
        for (frame, page) in self
            .frames
            .iter_mut()
            .zip(self.map.entries(fresh.address(0), region.pages)?)
        {
            *frame = page.frame();
        }

        region.host.memory.replace_by(region.start(), fresh)?;
        region.advise()?;
        region.set_generation(generation);
        let now = self.map.of(&region)?;
        let pages = now
            .zip(&self.frames)
            .filter(|(page, frame)| page.frame() == **frame)
            .count();
        region.command(guest::RUN)?;
        Ok(Round {
            pages,
            bytes: bytes + region.settle()?,
        })
    }
}
