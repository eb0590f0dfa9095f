// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the memory must hold, and what is said when it does not.

use crate::guest;
use crate::sys::Memory;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

/// A word that is not what it must be.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// Which operation's memory.
    pub region: &'static str,
    /// Who read it, and when.
    pub seen_by: &'static str,
    /// Its guest address.
    pub address: usize,
    pub expected: u32,
    pub seen: u32,
    /// How many words are wrong in the same reading, this one included.
    pub words: u64,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "wrong region={} seen_by={} address={:#x} expected={:#x} seen={:#x} words={}",
            self.region, self.seen_by, self.address, self.expected, self.seen, self.words
        )
    }
}

/// A run of lines, and which bits of a line's number make its tag.
#[derive(Clone, Copy)]
pub struct Lines {
    pub name: &'static str,
    pub start: usize,
    pub count: usize,
    pub tag_mask: u32,
}

impl Lines {
    fn tag(&self, line: usize) -> u32 {
        line as u32 & self.tag_mask
    }

    fn offsets(&self) -> impl Iterator<Item = (usize, usize)> {
        let start = self.start;
        (0..self.count).map(move |line| (line, start + line * guest::LINE))
    }

    /// The bytes that one reading of all lines checks.
    pub fn checked_bytes(&self) -> u64 {
        self.count as u64 * guest::LINE_CHECKED
    }

    /// Stores one generation and the tags into every line.
    pub fn fill(&self, memory: &Memory, generation: u32) {
        for (line, at) in self.offsets() {
            memory
                .word(at + guest::LINE_GENERATION)
                .store(generation, Relaxed);
            memory
                .word(at + guest::LINE_TAG)
                .store(self.tag(line), Relaxed);
        }
    }

    /// Checks that every line holds `generation` and its tag.
    pub fn verify(
        &self,
        memory: &Memory,
        generation: u32,
        seen_by: &'static str,
    ) -> Result<u64, Wrong> {
        self.compare(memory, seen_by, |_| generation)
    }

    /// Copies the generation of every line into `copy`.
    pub fn snapshot(&self, memory: &Memory, copy: &mut [u32]) {
        for (line, at) in self.offsets() {
            copy[line] = memory.word(at + guest::LINE_GENERATION).load(Relaxed);
        }
    }

    /// Checks that every line still holds the generation in `copy` and its tag.
    pub fn unchanged(
        &self,
        memory: &Memory,
        copy: &[u32],
        seen_by: &'static str,
    ) -> Result<u64, Wrong> {
        self.compare(memory, seen_by, |line| copy[line])
    }

    /// Checks that `copy` is one moment of a sweep, which stores the next
    /// generation line after line: up to some line it holds a generation, from
    /// there on the one before.
    pub fn one_moment(&self, copy: &[u32], seen_by: &'static str) -> Result<u64, Wrong> {
        let first = copy[0];
        let swept = copy
            .iter()
            .take_while(|&&generation| generation == first)
            .count();
        let mut wrong = Tally::default();
        for (line, at) in self.offsets().skip(swept) {
            wrong.note(at, first.wrapping_sub(1), copy[line]);
        }
        wrong.result(self, seen_by)
    }

    fn compare(
        &self,
        memory: &Memory,
        seen_by: &'static str,
        expected: impl Fn(usize) -> u32,
    ) -> Result<u64, Wrong> {
        let mut wrong = Tally::default();
        for (line, at) in self.offsets() {
            let generation = at + guest::LINE_GENERATION;
            let tag = at + guest::LINE_TAG;
            wrong.note(
                generation,
                expected(line),
                memory.word(generation).load(Relaxed),
            );
            wrong.note(tag, self.tag(line), memory.word(tag).load(Relaxed));
        }
        wrong.result(self, seen_by)
    }
}

/// The first wrong word of a reading, and how many there are.
#[derive(Default)]
struct Tally {
    first: Option<(usize, u32, u32)>,
    words: u64,
}

impl Tally {
    fn note(&mut self, address: usize, expected: u32, seen: u32) {
        if expected != seen {
            self.words += 1;
            self.first.get_or_insert((address, expected, seen));
        }
    }

    fn result(self, lines: &Lines, seen_by: &'static str) -> Result<u64, Wrong> {
        match self.first {
            None => Ok(lines.checked_bytes()),
            Some((address, expected, seen)) => Err(Wrong {
                region: lines.name,
                seen_by,
                address,
                expected,
                seen,
                words: self.words,
            }),
        }
    }
}
