// SPDX-License-Identifier: GPL-2.0

//! The TLB: lookups, misses, drop-ins. All of it is the same in both models but for how a drop-in
//! that was refused goes on.

use kernel::{
    mm::MmWithUser,
    prelude::*,
    sync::Arc, //
};
use mmu_notifier::{
    Access,
    Fault,
    FlushMirror,
    MirrorGuard,
    RangeMirror,
    PAGE_SIZE, //
};

use crate::cache::{
    Cache,
    Unit, //
};

/// How many bytes of the page at `addr` lie at and behind it.
pub(crate) fn left_in_page(addr: usize) -> usize {
    PAGE_SIZE - addr % PAGE_SIZE
}

/// Ends work that a signal wants to end.
fn not_interrupted() -> Result {
    if current!().signal_pending() {
        Err(EINTR)
    } else {
        Ok(())
    }
}

/// A software TLB in front of an address space.
pub(crate) trait Tlb: Send + Sync {
    /// Looks up the page at `addr` in the address space and enters its translation.
    fn fault(&self, addr: usize, access: Access) -> Result<(), Fault>;

    /// After an invalidation has refused a drop-in: returns when it is worth another try.
    fn refused(&self, addr: usize) -> Result;

    /// The translations, and their places.
    fn lock(&self) -> MirrorGuard<'_, Unit>;

    /// Reads memory of one page, dropping its translation in if need be.
    fn read(&self, addr: usize, to: &mut [u8]) -> Result {
        loop {
            not_interrupted()?;
            let mut guard = self.lock();
            if let Some(frame) = guard.get(addr, Access::Read) {
                frame.read(addr % PAGE_SIZE, to);
                return Ok(());
            }
            guard.state_mut().stats.misses += 1;
            drop(guard);
            self.drop_in(addr, Access::Read)?;
        }
    }

    /// Writes memory of one page, dropping its translation in if need be.
    fn write(&self, addr: usize, from: &[u8]) -> Result {
        loop {
            not_interrupted()?;
            let mut guard = self.lock();
            if let Some(mut frame) = guard.get(addr, Access::Write) {
                return frame.write(addr % PAGE_SIZE, from);
            }
            guard.state_mut().stats.misses += 1;
            drop(guard);
            self.drop_in(addr, Access::Write)?;
        }
    }

    /// Resolves a miss, or finds it refused and waits; either way a new lookup tells.
    fn drop_in(&self, addr: usize, access: Access) -> Result {
        match self.fault(addr, access) {
            Ok(()) => {
                let page = addr - addr % PAGE_SIZE;
                let mut guard = self.lock();
                guard.state_mut().stats.drop_ins += 1;
                // It may have gone again.
                if guard.entry(page).is_some() {
                    if let Some(victim) = guard.state_mut().place(page) {
                        guard.remove(victim..victim + PAGE_SIZE);
                    }
                }
                Ok(())
            }
            Err(Fault::Collided) => {
                self.lock().state_mut().stats.refused += 1;
                self.refused(addr)
            }
            Err(Fault::Failed(error)) => Err(error),
        }
    }

    /// Reads memory through the translations that are there.
    fn peek(&self, mut addr: usize, mut to: &mut [u8]) -> Result {
        let mut guard = self.alive()?;
        while !to.is_empty() {
            let (here, rest) = to.split_at_mut(left_in_page(addr).min(to.len()));
            guard
                .get(addr, Access::Read)
                .ok_or(ENODATA)?
                .read(addr % PAGE_SIZE, here);
            addr = addr.wrapping_add(here.len());
            to = rest;
        }
        Ok(())
    }

    /// Drops all translations.
    fn flush(&self) -> Result {
        let mut guard = self.alive()?;
        guard.remove(0..usize::MAX);
        guard.state_mut().vacate(0..usize::MAX);
        Ok(())
    }

    /// `struct gru_stats`.
    fn stats(&self) -> [u64; 8] {
        let guard = self.lock();
        guard.state().stats.as_words(guard.is_dead())
    }

    /// The lock of a TLB whose address space is still there.
    fn alive(&self) -> Result<MirrorGuard<'_, Unit>> {
        let guard = self.lock();
        if guard.is_dead() {
            return Err(ESRCH);
        }
        Ok(guard)
    }
}

impl Tlb for RangeMirror<Unit> {
    fn fault(&self, addr: usize, access: Access) -> Result<(), Fault> {
        RangeMirror::fault(self, addr, access)
    }

    fn refused(&self, addr: usize) -> Result {
        self.lock().state_mut().stats.waits += 1;
        self.wait(addr)
    }

    fn lock(&self) -> MirrorGuard<'_, Unit> {
        RangeMirror::lock(self)
    }
}

impl Tlb for FlushMirror<Unit> {
    fn fault(&self, addr: usize, access: Access) -> Result<(), Fault> {
        FlushMirror::fault(self, addr, access)
    }

    // A flush has no end to wait for: it is done when it lets go of the lock.
    fn refused(&self, _addr: usize) -> Result {
        Ok(())
    }

    fn lock(&self) -> MirrorGuard<'_, Unit> {
        FlushMirror::lock(self)
    }
}

/// How a TLB follows its address space.
#[derive(Clone, Copy)]
pub(crate) enum Model {
    Range,
    Flush,
}

/// Sets up a TLB of `entries` on `mm`.
///
/// # Errors
///
/// `EINTR`, `ENOMEM`.
///
/// Context: sleeps.
pub(crate) fn new(mm: &MmWithUser, model: Model, entries: usize) -> Result<Arc<dyn Tlb>> {
    let cache = Cache::new(entries)?;
    Ok(match model {
        Model::Range => Arc::pin_init(RangeMirror::new(mm, Unit, cache), GFP_KERNEL)?,
        Model::Flush => Arc::pin_init(FlushMirror::new(mm, Unit, cache), GFP_KERNEL)?,
    })
}
