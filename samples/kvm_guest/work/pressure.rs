// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory taken from the whole program, as under memory pressure.
//!
//! Unlike MADV_PAGEOUT the kernel chooses what to swap out, and asks for each
//! page whether the guest has used it. What it takes is the guest's working
//! memory: a stale translation loses writes, in this region or another.

use super::{Job, Operation, Round};
use crate::abi;
use crate::host::{End, Host};
use crate::pages;
use crate::region::{Plan, Region};
use std::fs::{self, File};
use std::io::Write;

const ROOT: &str = "/sys/fs/cgroup";

struct Pressure<'a> {
    region: Region<'a>,
    group: String,
    reclaim: File,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("pressure", pages))?;
    let cgroup = fs::read_to_string("/proc/self/cgroup")?;
    let Some(path) = cgroup.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Err(End::Unable("no control group".into()));
    };
    let group = format!("{ROOT}/{path}");
    let reclaim = pages::open(&format!("{group}/memory.reclaim"), true)?;
    Ok(Box::new(Pressure {
        region,
        group,
        reclaim,
    }))
}

impl Operation for Pressure<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let before = self.reclaimed()?;
        let amount = self.region.bytes().to_string();
        {
            let _alone = self.region.host.lock_whole_process();
            match self.reclaim.write_all(amount.as_bytes()) {
                // Less than that could be had.
                Err(e) if e.raw_os_error() == Some(abi::EAGAIN) => {}
                other => other?,
            }
        }
        let pages = self.reclaimed()? - before;
        Ok(Round {
            pages,
            bytes: self.region.settle()?,
        })
    }
}

impl Pressure<'_> {
    /// Pages that the kernel has taken from the group so far.
    fn reclaimed(&self) -> Result<usize, End> {
        let file = format!("{}/memory.stat", self.group);
        let stat = fs::read_to_string(&file)?;
        stat.lines()
            .find_map(|line| line.strip_prefix("pgsteal ")?.parse().ok())
            .ok_or(End::Unable(format!("{file} has no pgsteal")))
    }
}
