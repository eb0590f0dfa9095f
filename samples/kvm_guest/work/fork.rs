// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A child that shares the guest's pages until one side writes.
//!
//! The child takes a snapshot, which must be one moment of the guest's sweep,
//! and compares it again when the guest has written every line meanwhile: a
//! stale writable translation writes into the page that the child shares.

use super::{Job, Operation, Round};
use crate::check::Wrong;
use crate::host::{End, Host};
use crate::pages::Pages;
use crate::region::{Plan, Region};
use crate::sys::fork_child;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

struct Fork<'a> {
    region: Region<'a>,
    map: Pages,
    frames: Vec<Option<u64>>,
    snapshot: Vec<u32>,
}

pub fn prepare(host: &Host, index: usize, pages: usize) -> Result<Job<'_>, End> {
    let plan = Plan {
        forked: true,
        ..Plan::new("fork", pages)
    };
    let region = Region::new(host, index, plan)?;
    Ok(Box::new(Fork {
        region,
        map: Pages::new(pages)?,
        frames: vec![None; pages],
        snapshot: vec![0; region.lines.count],
    }))
}

impl Operation for Fork<'_> {
    fn round(&mut self) -> Result<Round, End> {
        let region = self.region;
        for (frame, page) in self.frames.iter_mut().zip(self.map.of(&region)?) {
            *frame = page.frame();
        }

        let (ours, childs) = UnixStream::pair()?;
        let mut ours = Some(ours);
        let child = fork_child(|| {
            // The child must not hold our end: it shall see it closed when we
            // are killed.
            ours = None;
            child_side(&region, &mut self.snapshot, childs).map_or(1, |()| 0)
        })?;
        let result = ours
            .take()
            .map_or(Err(End::Told), |ours| self.parent_side(ours));
        let status = child.wait()?;
        let (pages, bytes) = result?;
        if status != Some(0) {
            return Err(End::Failed(io::Error::other("the forked child failed")));
        }
        Ok(Round {
            pages,
            bytes: bytes + region.settle()?,
        })
    }
}

impl Fork<'_> {
    /// Lets the guest write every line between the child's two readings.
    /// Returns the pages that the guest no longer shares, and compared bytes.
    fn parent_side(&mut self, mut child: UnixStream) -> Result<(usize, u64), End> {
        receive(&mut child, "child_snapshot")?;
        self.region.wait_sweep()?;
        let now = self.map.of(&self.region)?;
        let pages = now
            .zip(&self.frames)
            .filter(|(page, frame)| page.frame() != **frame)
            .count();
        child.write_all(&[0])?;
        receive(&mut child, "child_after_guest_wrote")?;
        Ok((pages, 2 * self.region.lines.checked_bytes()))
    }
}

/// Runs in the child, which must not allocate.
fn child_side(region: &Region, snapshot: &mut [u32], mut parent: UnixStream) -> io::Result<()> {
    let (memory, lines) = (&region.host.memory, &region.lines);
    lines.snapshot(memory, snapshot);
    send(&mut parent, lines.one_moment(snapshot, ""))?;
    parent.read_exact(&mut [0])?;
    send(&mut parent, lines.unchanged(memory, snapshot, ""))
}

fn send(to: &mut UnixStream, result: Result<u64, Wrong>) -> io::Result<()> {
    let message = result.map_or_else(
        |wrong| {
            [
                wrong.address as u32,
                wrong.expected,
                wrong.seen,
                wrong.words as u32,
            ]
        },
        |_| [0; 4],
    );
    for word in message {
        to.write_all(&word.to_ne_bytes())?;
    }
    Ok(())
}

fn receive(from: &mut UnixStream, seen_by: &'static str) -> Result<(), End> {
    let mut message = [0; 4];
    for word in &mut message {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *word = u32::from_ne_bytes(bytes);
    }
    let [address, expected, seen, words] = message;
    if words == 0 {
        return Ok(());
    }
    Err(End::Wrong(Wrong {
        region: "fork",
        seen_by,
        address: address as usize,
        expected,
        seen,
        words: words.into(),
    }))
}
