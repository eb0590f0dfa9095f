// SPDX-License-Identifier: GPL-2.0

//! The slots of a virtual machine: which user pages are its memory.

use core::{
    mem,
    ops::Range, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};
use mmu_notifier::Access;

use crate::{
    abi,
    log::DirtyLog, //
};

/// A run of guest pages that shows a run of user pages.
///
/// # Invariants
///
/// The addresses are whole pages, both ends fit into a `usize`, and a log is as long as the slot.
pub(crate) struct Slot {
    number: u32,
    guest: Range<usize>,
    user: usize,
    readonly: bool,
    log: Option<DirtyLog>,
}

impl Slot {
    /// Checks what user space wants as a slot. Context: may sleep.
    pub(crate) fn new(args: &abi::Slot) -> Result<Self> {
        let aligned = (args.guest | args.size | args.user) % PAGE_SIZE == 0;
        let pages = args.size / PAGE_SIZE;
        let end = args.guest.checked_add(args.size).ok_or(EINVAL)?;
        if !aligned || pages > abi::SLOT_PAGES || args.user.checked_add(args.size).is_none() {
            return Err(EINVAL);
        }
        let log = match args.flags & abi::LOG_DIRTY {
            0 => None,
            _ => Some(DirtyLog::new(pages)?),
        };
        // INVARIANT: All of it was just checked.
        Ok(Self {
            number: args.number,
            guest: args.guest..end,
            user: args.user,
            readonly: args.flags & abi::READONLY != 0,
            log,
        })
    }

    /// The user addresses of the slot.
    pub(crate) fn user(&self) -> Range<usize> {
        self.user..self.user + self.guest.len()
    }

    /// The number of its pages.
    pub(crate) fn pages(&self) -> usize {
        self.guest.len() / PAGE_SIZE
    }

    /// Begins or ceases to log, as `other` does; what is not needed for it is left to `other`.
    pub(crate) fn log_like(&mut self, other: &mut Self) {
        if self.log.is_some() != other.log.is_some() {
            mem::swap(&mut self.log, &mut other.log);
        }
    }

    fn differs_by_log_only(&self, other: &Self) -> bool {
        self.guest == other.guest && self.user == other.user && self.readonly == other.readonly
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.guest.start < other.guest.end && other.guest.start < self.guest.end
    }
}

/// The slots of a virtual machine, none of which overlaps another in guest addresses.
///
/// They live under the mirror's lock, so nothing here allocates or frees.
pub(crate) struct Slots(KVec<Slot>);

impl Slots {
    /// Returns no slots, and room for all there may be. Context: may sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(KVec::with_capacity(abi::SLOTS, GFP_KERNEL)?))
    }

    /// Finds a slot by its number, or `ENOENT`.
    pub(crate) fn get(&self, number: u32) -> Result<&Slot> {
        self.0
            .iter()
            .find(|slot| slot.number == number)
            .ok_or(ENOENT)
    }

    /// Finds a slot by its number, or `ENOENT`.
    pub(crate) fn get_mut(&mut self, number: u32) -> Result<&mut Slot> {
        self.0
            .iter_mut()
            .find(|slot| slot.number == number)
            .ok_or(ENOENT)
    }

    /// Finds the dirty log of a slot, or `ENOENT`.
    pub(crate) fn log(&mut self, number: u32) -> Result<&mut DirtyLog> {
        self.get_mut(number)?.log.as_mut().ok_or(ENOENT)
    }

    /// Fails with `EEXIST` if a slot is in the way of this one.
    ///
    /// One of the same number is not if no more than its log differs.
    pub(crate) fn admit(&self, new: &Slot) -> Result {
        let in_the_way = match self.get(new.number) {
            Ok(old) => !old.differs_by_log_only(new),
            Err(_) => self.0.iter().any(|old| old.overlaps(new)),
        };
        match in_the_way {
            true => Err(EEXIST),
            false => Ok(()),
        }
    }

    /// Adds a slot that was admitted and has a number of its own.
    pub(crate) fn add(&mut self, new: Slot) -> Result {
        self.0.push_within_capacity(new).map_err(|_| ENOMEM)
    }

    /// Takes a slot out, or `ENOENT`.
    pub(crate) fn remove(&mut self, number: u32) -> Result<Slot> {
        let index = self.0.iter().position(|slot| slot.number == number);
        self.0.remove(index.ok_or(ENOENT)?).map_err(|_| ENOENT)
    }

    /// Translates a guest address to the user address it shows.
    ///
    /// `ENXIO` if no slot has it, `EPERM` for a write to a slot that is read-only.
    pub(crate) fn translate(&self, guest: usize, access: Access) -> Result<usize> {
        let slot = self.find(guest, access)?;
        Ok(slot.user + (guest - slot.guest.start))
    }

    /// Fails as [`Slots::translate`] does if it would for any byte of `guest`.
    pub(crate) fn check(&self, guest: &Range<usize>, access: Access) -> Result {
        let mut at = guest.start;
        while at < guest.end {
            at = self.find(at, access)?.guest.end;
        }
        Ok(())
    }

    /// Notes in the log of every slot that shows this user page that it was written to.
    pub(crate) fn mark_dirty(&mut self, user: usize) {
        for slot in &mut self.0 {
            if slot.user().contains(&user) {
                let page = (user - slot.user) / PAGE_SIZE;
                if let Some(log) = &mut slot.log {
                    log.mark(page);
                }
            }
        }
    }

    fn find(&self, guest: usize, access: Access) -> Result<&Slot> {
        let mut slots = self.0.iter();
        let slot = slots
            .find(|slot| slot.guest.contains(&guest))
            .ok_or(ENXIO)?;
        match access {
            Access::Write if slot.readonly => Err(EPERM),
            _ => Ok(slot),
        }
    }
}
