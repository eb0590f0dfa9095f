// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which pages does the guest use?
//!
//! The kernel's access monitor (DAMON) watches the region: it makes pages old
//! and asks later whether they are young. While the guest pauses, nothing may
//! be called used: a core that does not pass on "make old" keeps what was
//! young for ever. While the guest sweeps, something must be called used: a
//! core that does not pass on the answer never sees it.

use super::{Job, Operation, Round};
use crate::check::Wrong;
use crate::guest;
use crate::host::{End, Host};
use crate::region::{Plan, Region, PAGE};
use std::fs;
use std::io;

const MONITORS: &str = "/sys/kernel/mm/damon/admin/kdamonds";
/// How often pages are looked at, and after how long the looks are added up.
const SAMPLE_MICROSECONDS: u32 = 10_000;
const SUM_MICROSECONDS: u32 = 100_000;
/// Answers, each with whole sweeps in its time, of which one must notice the
/// guest: a sweep can still fall just outside the interval that is summed up.
const ANSWERS_TO_NOTICE: u32 = 20;
/// Intervals in which the paused guest's memory must come to rest: the monitor
/// skips a page that compaction holds at that very moment.
const INTERVALS_TO_REST: u32 = 5;

struct Age<'a> {
    region: Region<'a>,
    monitor: Monitor,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("age", pages))?;
    let start = host.memory.address(region.start());
    let monitor = Monitor::start(start, start + region.bytes()).map_err(|e| {
        End::Unable(format!(
            "{MONITORS}: {e}; it must be there and unused, DAMON_STAT off"
        ))
    })?;
    Ok(Box::new(Age { region, monitor }))
}

impl Operation for Age<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        let bytes = region.pause_and_verify()?;
        // A translation that is dropped and made again counts as a use.
        let undisturbed = region.host.lock_whole_process();
        self.hand_over_new_pages()?;
        self.unused_at_rest()?;
        region.command(guest::RUN)?;
        let used = self.used_in_sweeps()?;
        drop(undisturbed);
        Ok(Round {
            pages: used / PAGE,
            bytes: bytes + region.settle()?,
        })
    }
}

impl Age<'_> {
    /// Makes every CPU hand over its batch of new pages, which the monitor could
    /// not make old, as moving any page does.
    fn hand_over_new_pages(&self) -> Result<(), End> {
        let memory = &self.region.host.memory;
        let page = memory.address(self.region.start());
        memory.move_pages(&[page], Some(&[0]), &mut [0])?;
        Ok(())
    }

    /// Checks that the paused guest's memory is called unused.
    fn unused_at_rest(&self) -> Result<(), End> {
        let mut used = 0;
        for _ in 0..INTERVALS_TO_REST {
            used = self.monitor.used_bytes()?;
            if used == 0 {
                return Ok(());
            }
        }
        Err(self.wrong("host_unused_memory_called_used", 0, used))
    }

    /// Checks that the sweeping guest's memory is called used; returns how much
    /// of it.
    fn used_in_sweeps(&self) -> Result<usize, End> {
        let mut answers = 0;
        while answers < ANSWERS_TO_NOTICE {
            let before = self.region.sweeps();
            let used = self.monitor.used_bytes()?;
            if used != 0 {
                return Ok(used);
            }
            answers += u32::from(self.region.swept_since(before));
            self.region.wait_sweep()?;
        }
        Err(self.wrong("host_used_memory_called_unused", self.region.bytes(), 0))
    }

    fn wrong(&self, seen_by: &'static str, expected: usize, seen: usize) -> End {
        End::Wrong(Wrong {
            region: "age",
            seen_by,
            address: self.region.start(),
            expected: expected as u32,
            seen: seen as u32,
            words: 1,
        })
    }
}

/// An access monitor of a range of this process's memory.
struct Monitor;

impl Monitor {
    fn start(start: usize, end: usize) -> io::Result<Self> {
        let number = |file: &str, value: u64| set(file, &value.to_string());
        set("nr_kdamonds", "1")?;
        let monitor = Self;
        number("0/contexts/nr_contexts", 1)?;
        set("0/contexts/0/operations", "fvaddr")?;
        let attributes = "0/contexts/0/monitoring_attrs";
        number(
            &format!("{attributes}/intervals/sample_us"),
            SAMPLE_MICROSECONDS.into(),
        )?;
        number(
            &format!("{attributes}/intervals/aggr_us"),
            SUM_MICROSECONDS.into(),
        )?;
        number("0/contexts/0/targets/nr_targets", 1)?;
        number(
            "0/contexts/0/targets/0/pid_target",
            std::process::id().into(),
        )?;
        number("0/contexts/0/targets/0/regions/nr_regions", 1)?;
        number("0/contexts/0/targets/0/regions/0/start", start as u64)?;
        number("0/contexts/0/targets/0/regions/0/end", end as u64)?;
        // A scheme that does nothing with memory of any size and age that was
        // used, but to count it.
        number("0/contexts/0/schemes/nr_schemes", 1)?;
        set("0/contexts/0/schemes/0/action", "stat")?;
        let pattern = "0/contexts/0/schemes/0/access_pattern";
        number(&format!("{pattern}/sz/max"), u64::MAX)?;
        number(&format!("{pattern}/age/max"), u32::MAX.into())?;
        number(&format!("{pattern}/nr_accesses/min"), 1)?;
        number(&format!("{pattern}/nr_accesses/max"), u32::MAX.into())?;
        set("0/state", "on")?;
        Ok(monitor)
    }

    /// The bytes called used in a whole interval that begins after now: the
    /// first answer may be about an interval that has begun before.
    fn used_bytes(&self) -> io::Result<usize> {
        set("0/state", "update_schemes_tried_bytes")?;
        set("0/state", "update_schemes_tried_bytes")?;
        let file = format!("{MONITORS}/0/contexts/0/schemes/0/tried_regions/total_bytes");
        fs::read_to_string(file)?
            .trim()
            .parse()
            .map_err(io::Error::other)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It ends by itself with the process: nothing depends on these.
        let _ = set("0/state", "off");
        let _ = set("nr_kdamonds", "0");
    }
}

fn set(file: &str, value: &str) -> io::Result<()> {
    fs::write(format!("{MONITORS}/{file}"), value)
        .map_err(|e| io::Error::new(e.kind(), format!("{file}: {e}")))
}
