// SPDX-License-Identifier: GPL-2.0 OR MIT

//! One entry of the guest's table, seen from the host.

use crate::abi;
use crate::check::Lines;
use crate::guest;
use crate::host::{End, Host};
use std::sync::atomic::{AtomicU32, Ordering::*};

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Bytes of a huge page: the distance between regions.
pub const HUGE: usize = 2 << 20;
/// What a settled region's generation jumps by: far more than the guest gets
/// to add in between, so that an old generation is never taken for a new one.
const JUMP: u32 = 1 << 16;

/// How a region is made.
#[derive(Clone, Copy)]
pub struct Plan {
    pub name: &'static str,
    pub pages: usize,
    /// Which bits of a line's number make its tag; the default is all.
    pub tag_mask: u32,
    /// Inherited by forked children.
    pub forked: bool,
    /// May become huge pages.
    pub huge: bool,
}

impl Plan {
    /// Memory that stays in small pages, out of forked children.
    pub const fn new(name: &'static str, pages: usize) -> Self {
        Self {
            name,
            pages,
            tag_mask: u32::MAX,
            forked: false,
            huge: false,
        }
    }
}

/// Memory that one operation works on and the guest uses.
#[derive(Clone, Copy)]
pub struct Region<'a> {
    pub host: &'a Host,
    pub lines: Lines,
    pub pages: usize,
    plan: Plan,
    entry: usize,
}

impl<'a> Region<'a> {
    /// Prepares the memory and the entry number `index` of the guest's table.
    pub fn new(host: &'a Host, index: usize, plan: Plan) -> Result<Self, End> {
        assert!(index + 1 < guest::ENTRIES && plan.pages * PAGE <= HUGE);
        let lines = Lines {
            name: plan.name,
            start: (index + 1) * HUGE,
            count: plan.pages * PAGE / guest::LINE,
            tag_mask: plan.tag_mask,
        };
        let entry = guest::TABLE + index * guest::ENTRY;
        let region = Self {
            host,
            lines,
            pages: plan.pages,
            plan,
            entry,
        };
        region.advise()?;
        lines.fill(&host.memory, JUMP);
        region.word(guest::LINES).store(lines.count as u32, Relaxed);
        region.word(guest::TAG_MASK).store(lines.tag_mask, Relaxed);
        region.word(guest::GENERATION).store(JUMP, Relaxed);
        region.word(guest::COMMAND).store(guest::RUN, Relaxed);
        region.word(guest::BASE).store(lines.start as u32, Relaxed);
        Ok(region)
    }

    /// Repeats the advice that a new mapping at the same place has lost.
    pub fn advise(&self) -> Result<(), End> {
        let memory = &self.host.memory;
        if !self.plan.forked {
            memory.advise(self.start(), self.bytes(), abi::MADV_DONTFORK)?;
        }
        if !self.plan.huge {
            memory.advise(self.start(), self.bytes(), abi::MADV_NOHUGEPAGE)?;
        }
        Ok(())
    }

    fn word(&self, offset: usize) -> &'a AtomicU32 {
        self.host.memory.word(self.entry + offset)
    }

    pub fn start(&self) -> usize {
        self.lines.start
    }

    pub fn bytes(&self) -> usize {
        self.pages * PAGE
    }

    /// Sweeps that the guest has finished.
    pub fn sweeps(&self) -> u32 {
        self.word(guest::SWEEPS).load(Acquire)
    }

    /// Whether the guest has made a whole sweep that began after it had
    /// finished `before` of them: the one under way does not count.
    pub fn swept_since(&self, before: u32) -> bool {
        self.sweeps().wrapping_sub(before) >= 2
    }

    /// Waits for a whole sweep that begins after now.
    pub fn wait_sweep(&self) -> Result<(), End> {
        let before = self.sweeps();
        self.host.wait(|_| self.swept_since(before))
    }

    /// Gives the guest a command and waits until it obeys.
    pub fn command(&self, command: u32) -> Result<(), End> {
        self.word(guest::COMMAND).store(command, Release);
        self.host
            .wait(|_| self.word(guest::ACK).load(Acquire) == command)
    }

    /// Pauses the guest here and checks that the host sees its last write in
    /// every line, that is, that both look at the same pages. Returns the
    /// bytes checked.
    pub fn pause_and_verify(&self) -> Result<u64, End> {
        self.command(guest::PAUSE)?;
        let generation = self.word(guest::GENERATION).load(Acquire);
        Ok(self.lines.verify(&self.host.memory, generation, "host")?)
    }

    /// The generation of a paused region.
    pub fn generation(&self) -> u32 {
        self.word(guest::GENERATION).load(Acquire)
    }

    /// What `renew` will store next.
    pub fn next_generation(&self) -> u32 {
        self.generation().wrapping_add(JUMP)
    }

    /// Stores a new generation in the paused region, for the guest to find
    /// when it goes on: it would stop on an old one.
    pub fn renew(&self) {
        let generation = self.next_generation();
        self.lines.fill(&self.host.memory, generation);
        self.set_generation(generation);
    }

    /// Tells the paused guest which generation to find.
    pub fn set_generation(&self, generation: u32) {
        self.word(guest::GENERATION).store(generation, Release);
    }

    /// The end of a round: after a whole sweep both sides check that they see
    /// what the other wrote, in both directions.
    pub fn settle(&self) -> Result<u64, End> {
        self.wait_sweep()?;
        let bytes = self.pause_and_verify()?;
        self.renew();
        self.command(guest::RUN)?;
        self.wait_sweep()?;
        Ok(bytes)
    }
}

/// The number of the region at a guest address.
pub fn index_of(address: usize) -> usize {
    (address / HUGE).wrapping_sub(1)
}

/// The entries of the guest's table, whoever made them.
fn entry(host: &Host, index: usize, word: usize) -> u32 {
    host.memory
        .word(guest::TABLE + index * guest::ENTRY + word)
        .load(Relaxed)
}

/// The bytes that the guest has checked in the first `regions` regions.
pub fn bytes_checked_by_guest(host: &Host, regions: usize) -> u64 {
    (0..regions)
        .map(|index| {
            u64::from(entry(host, index, guest::SWEEPS))
                * u64::from(entry(host, index, guest::LINES))
                * guest::LINE_CHECKED
        })
        .sum()
}

/// Stores what no line's tag can be behind everybody's back: the test of the
/// tests.
pub fn corrupt(host: &Host, index: usize) {
    let tag = (index + 1) * HUGE + PAGE + guest::LINE_TAG;
    host.outside_window(|| host.memory.word(tag).store(u32::MAX, Relaxed));
}
