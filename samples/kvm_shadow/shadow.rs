// SPDX-License-Identifier: GPL-2.0

//! What the shadow has to do when the VM changes the memory under it.

use core::ops::Range as Addresses;
use kernel::{
    prelude::*,
    sync::lock::spinlock::SpinLockBackend, //
};
use mmu_notifier::{
    MirrorOps,
    Range,
    Table, //
};

use crate::{
    abi::Stats,
    slots::Slots, //
};

/// The callbacks; all they work on is under the mirror's lock.
pub(crate) struct Shadow;

/// What the mirror's lock protects besides the entries.
pub(crate) struct State {
    pub(crate) slots: Slots,
    pub(crate) stats: Stats,
}

impl State {
    /// Returns the state of a machine without memory. Context: may sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            slots: Slots::new()?,
            stats: Stats::default(),
        })
    }

    /// Notes in the logs which of these entries are dirty; returns how many entries there are.
    pub(crate) fn save_dirty(&mut self, table: &Table, user: Addresses<usize>) -> u64 {
        let mut entries = 0;
        for (addr, entry) in table.iter(user) {
            entries += 1;
            if entry.dirty {
                self.slots.mark_dirty(addr);
            }
        }
        entries
    }

    /// Fails with `ESRCH` once the address space is gone.
    pub(crate) fn check_alive(&self) -> Result {
        match self.stats.released {
            0 => Ok(()),
            _ => Err(ESRCH),
        }
    }
}

#[vtable]
impl MirrorOps for Shadow {
    type State = State;
    type Lock = SpinLockBackend;

    fn invalidate(&self, state: &mut State, table: &Table, range: &Range<'_>) {
        let gone = state.save_dirty(table, range.start()..range.end());
        state.stats.pages_dropped += gone;
        state.stats.invalidations += 1;
    }

    fn aged(&self, state: &mut State, _start: usize, _end: usize, _young: bool) {
        state.stats.aged += 1;
    }

    fn release(&self, state: &mut State) {
        state.stats.released = 1;
    }
}
