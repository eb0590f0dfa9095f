// SPDX-License-Identifier: GPL-2.0

//! A virtual machine: its memory, reached through the shadow.

use core::{
    cmp::min,
    iter,
    mem,
    ops::Range, //
};
use kernel::{
    mm::MmWithUser,
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};
use mmu_notifier::{
    Access,
    Entry,
    Fault,
    Frame,
    MirrorGuard,
    RangeMirror, //
};

use crate::{
    abi,
    log::DirtyLog,
    shadow::{
        Shadow,
        State, //
    },
    slots::Slot, //
};

/// How many states are found out under one hold of the lock.
const STATES: usize = 64;

/// What to do about a page that the shadow does not hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    FaultIn,
    Refuse,
}

/// A virtual machine.
#[pin_data]
pub(crate) struct Vm {
    #[pin]
    mirror: RangeMirror<Shadow>,
}

impl Vm {
    /// Returns a machine on this address space, without memory yet.
    pub(crate) fn new(mm: &MmWithUser) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            mirror <- RangeMirror::new(mm, Shadow, State::new()?),
        })
    }

    /// `KVM_SHADOW_SET_SLOT`.
    pub(crate) fn set_slot(&self, args: &abi::Slot) -> Result {
        let known = abi::READONLY | abi::LOG_DIRTY;
        if args.number as usize >= abi::SLOTS || args.flags & !known != 0 {
            return Err(EINVAL);
        }
        if args.size == 0 {
            return self.delete_slot(args.number);
        }
        // Declared before the guard: what is left of it is freed after the lock.
        let mut slot = Slot::new(args)?;
        let mut guard = self.lock()?;
        guard.state().slots.admit(&slot)?;
        // What was written before is none of its log's business.
        harvest(&mut guard, slot.user());
        let slots = &mut guard.state_mut().slots;
        match slots.get_mut(args.number) {
            Ok(old) => old.log_like(&mut slot),
            Err(_) => slots.add(slot)?,
        }
        Ok(())
    }

    fn delete_slot(&self, number: u32) -> Result {
        let mut guard = self.lock()?;
        let user = guard.state().slots.get(number)?.user();
        harvest(&mut guard, user.clone());
        guard.remove(user);
        let slot = guard.state_mut().slots.remove(number);
        drop(guard);
        slot.map(drop)
    }

    /// `KVM_SHADOW_READ` and `KVM_SHADOW_PEEK`.
    pub(crate) fn read(&self, args: &abi::Memory, absent: Absent) -> Result {
        let guest = span(args.guest, args.length)?;
        self.lock()?.state().slots.check(&guest, Access::Read)?;
        let mut bounce = KVec::from_elem(0u8, min(args.length, PAGE_SIZE), GFP_KERNEL)?;
        let mut writer = UserSlice::new(UserPtr::from_addr(args.buffer), args.length).writer();
        for piece in pieces(guest) {
            let bytes = &mut bounce[..piece.len()];
            let offset = piece.start % PAGE_SIZE;
            self.with_page(piece.start, Access::Read, absent, |frame| {
                frame.read(offset, bytes);
                Ok(())
            })?;
            writer.write_slice(bytes)?;
            stop_for_signal(writer.is_empty())?;
        }
        Ok(())
    }

    /// `KVM_SHADOW_WRITE`.
    pub(crate) fn write(&self, args: &abi::Memory) -> Result {
        let guest = span(args.guest, args.length)?;
        self.lock()?.state().slots.check(&guest, Access::Write)?;
        let mut bounce = KVec::from_elem(0u8, min(args.length, PAGE_SIZE), GFP_KERNEL)?;
        let mut reader = UserSlice::new(UserPtr::from_addr(args.buffer), args.length).reader();
        for piece in pieces(guest) {
            let bytes = &mut bounce[..piece.len()];
            let offset = piece.start % PAGE_SIZE;
            reader.read_slice(bytes)?;
            self.with_page(piece.start, Access::Write, Absent::FaultIn, |frame| {
                frame.write(offset, bytes)
            })?;
            stop_for_signal(reader.is_empty())?;
        }
        Ok(())
    }

    /// `KVM_SHADOW_STATE`.
    pub(crate) fn states(&self, args: &abi::State) -> Result {
        let size = args.pages.checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
        let guest = span(args.guest, size)?;
        if guest.start % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        self.lock()?.state().slots.check(&guest, Access::Read)?;
        let mut writer = UserSlice::new(UserPtr::from_addr(args.states), args.pages).writer();
        for start in guest.clone().step_by(STATES * PAGE_SIZE) {
            let mut states = [0; STATES];
            let pages = min(STATES, (guest.end - start) / PAGE_SIZE);
            let guard = self.lock()?;
            for (page, state) in states[..pages].iter_mut().enumerate() {
                let slots = &guard.state().slots;
                let user = slots.translate(start + page * PAGE_SIZE, Access::Read)?;
                *state = guard.entry(user).map_or(0, state_of);
            }
            drop(guard);
            writer.write_slice(&states[..pages])?;
            stop_for_signal(writer.is_empty())?;
        }
        Ok(())
    }

    /// `KVM_SHADOW_GET_DIRTY`.
    pub(crate) fn take_dirty(&self, args: &abi::Dirty) -> Result {
        if args.number as usize >= abi::SLOTS {
            return Err(EINVAL);
        }
        let log = self.empty_log(args.number)?;
        let bytes = log.as_bytes();
        let bitmap = UserSlice::new(UserPtr::from_addr(args.bitmap), bytes.len());
        bitmap.writer().write_slice(bytes).inspect_err(|_| {
            let mut guard = self.mirror.lock();
            if let Ok(kept) = guard.state_mut().slots.log(args.number) {
                kept.take_back(&log);
            }
        })
    }

    /// Takes what the log of a slot holds. `ENOENT` if there is none.
    fn empty_log(&self, number: u32) -> Result<DirtyLog> {
        loop {
            let pages = self.lock()?.state().slots.get(number)?.pages();
            let mut taken = DirtyLog::new(pages)?;
            let mut guard = self.lock()?;
            let user = match guard.state().slots.get(number)? {
                slot if slot.pages() == pages => slot.user(),
                // Another one meanwhile.
                _ => continue,
            };
            guard.state_mut().slots.log(number)?;
            harvest(&mut guard, user);
            guard.state_mut().slots.log(number)?.empty_into(&mut taken);
            drop(guard);
            return Ok(taken);
        }
    }

    /// `KVM_SHADOW_STATS`.
    pub(crate) fn stats(&self) -> abi::Stats {
        self.mirror.lock().state().stats
    }

    fn lock(&self) -> Result<MirrorGuard<'_, Shadow>> {
        let guard = self.mirror.lock();
        guard.state().check_alive()?;
        Ok(guard)
    }

    /// Calls `then` on the page of a guest address, under the lock that keeps it in place.
    ///
    /// Between a fault and the use of what it entered the lock is free: the slot may be another
    /// by then, or the entry gone. So each turn begins with the guest address.
    fn with_page(
        &self,
        guest: usize,
        access: Access,
        absent: Absent,
        mut then: impl FnMut(&mut Frame<'_>) -> Result,
    ) -> Result {
        loop {
            let mut guard = self.lock()?;
            let user = guard.state().slots.translate(guest, access)?;
            if let Some(mut frame) = guard.get(user, access) {
                return then(&mut frame);
            }
            drop(guard);
            if absent == Absent::Refuse {
                return Err(ENODATA);
            }
            self.fault_in(user, access)?;
        }
    }

    /// Has the page entered, or waits until it is worth another try.
    fn fault_in(&self, user: usize, access: Access) -> Result {
        let fault = self.mirror.fault(user, access);
        let mut guard = self.mirror.lock();
        let stats = &mut guard.state_mut().stats;
        match fault {
            Ok(()) => stats.faults += 1,
            Err(Fault::Collided) => {
                stats.retries += 1;
                drop(guard);
                stop_for_signal(false)?;
                self.mirror.wait(user)?;
            }
            Err(Fault::Failed(error)) => return Err(error),
        }
        Ok(())
    }
}

/// Moves the dirty bits of entries to the logs; the next write to these pages sets them again.
fn harvest(guard: &mut MirrorGuard<'_, Shadow>, user: Range<usize>) {
    guard.clear_dirty(user, |state, page| state.slots.mark_dirty(page));
}

fn state_of(entry: Entry) -> u8 {
    let bit = |set, bit| if set { bit } else { 0 };
    abi::PRESENT
        | bit(entry.writable, abi::WRITABLE)
        | bit(entry.young, abi::YOUNG)
        | bit(entry.dirty, abi::DIRTY)
}

/// The guest addresses from `start` on, or `EINVAL` if there are none or they have no end.
fn span(start: usize, length: usize) -> Result<Range<usize>> {
    match start.checked_add(length) {
        Some(end) if length != 0 => Ok(start..end),
        _ => Err(EINVAL),
    }
}

/// Cuts addresses where pages end.
fn pieces(mut rest: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    iter::from_fn(move || {
        let last = rest.end.checked_sub(1).filter(|_| !rest.is_empty())?;
        let end = min(rest.start | (PAGE_SIZE - 1), last) + 1;
        Some(mem::replace(&mut rest.start, end)..end)
    })
}

/// Lets a signal end what is not done yet.
fn stop_for_signal(done: bool) -> Result {
    if !done && current!().signal_pending() {
        return Err(EINTR);
    }
    Ok(())
}
