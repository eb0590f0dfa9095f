// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Pages moved to another NUMA node under the running guest.
//!
//! A stale translation leaves the guest on the old page: the host then misses
//! its writes, and the guest misses the host's.

use super::{Job, Operation, Round};
use crate::host::{End, Host};
use crate::region::{Plan, Region, PAGE};
use std::fs;

const NODES_FILE: &str = "/sys/devices/system/node/has_memory";

struct Migrate<'a> {
    region: Region<'a>,
    addresses: Vec<usize>,
    status: Vec<i32>,
    /// Node numbers, the next target first, repeated for each page.
    targets: [Vec<i32>; 2],
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let region = Region::new(host, index, Plan::new("migrate", pages))?;
    let nodes = fs::read_to_string(NODES_FILE).unwrap_or_default();
    let numbers: Vec<i32> = nodes
        .trim()
        .split(['-', ','])
        .filter_map(|n| n.parse().ok())
        .collect();
    let [first, .., last] = numbers[..] else {
        return Err(End::Unable(
            "one NUMA node only: boot with numa=fake=2".into(),
        ));
    };
    let address = host.memory.address(region.start());
    Ok(Box::new(Migrate {
        region,
        addresses: (0..pages).map(|page| address + page * PAGE).collect(),
        status: vec![0; pages],
        targets: [vec![last; pages], vec![first; pages]],
    }))
}

impl Operation for Migrate<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let Self {
            region,
            addresses,
            status,
            targets,
        } = self;
        let memory = &region.host.memory;
        let target = targets[0][0];

        memory.move_pages(addresses, None, status)?;
        let there_before = status.iter().filter(|&&node| node == target).count();
        // Pages that are in use at that very moment stay behind, which is
        // fine: the question is asked anew below.
        memory.move_pages(addresses, Some(&targets[0]), status)?;
        memory.move_pages(addresses, None, status)?;
        let there = status.iter().filter(|&&node| node == target).count();
        targets.rotate_left(1);
        Ok(Round {
            pages: there.saturating_sub(there_before),
            bytes: region.settle()?,
        })
    }
}
