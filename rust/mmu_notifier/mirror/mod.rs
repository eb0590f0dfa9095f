// SPDX-License-Identifier: GPL-2.0

//! Secondary MMUs in software: they access the pages themselves, through translations that are
//! safe to use by construction.
//!
//! A mirror has a [`Table`] of translations under a lock. [`fault`](RangeMirror::fault) makes one;
//! an invalidation takes the lock and removes what it covers before the VM goes on. Nothing is
//! pinned. A driver sees pages only through the guard of the lock, so it cannot keep one that is
//! gone.

mod interval;
mod retry;
mod whole;

use core::ops::Range as Addresses;
use kernel::{
    prelude::*,
    sync::lock::Guard, //
};

use crate::{
    page::Access,
    range::{
        Range,
        WouldBlock, //
    },
    table::{
        Entry,
        Frame,
        Table, //
    },
    user_lock::UserLock,
};

pub use interval::IntervalMirror;
pub use whole::{
    FlushMirror,
    RangeMirror,
    WholeMirror, //
};

use retry::Retry;

/// What a driver adds to a mirror.
///
/// None of these may unregister a subscription of the address space, or make users of it. The VM
/// may hold the mmap lock and reverse-map locks, and memory must not be waited for.
#[vtable]
pub trait MirrorOps: Send + Sync + Sized + 'static {
    /// The driver's data beside the table, under the same lock.
    type State: Send + Unpin + 'static;

    /// The kind of lock; mirrors of a whole address space need `SpinLockBackend`.
    type Lock: UserLock;

    /// The translations of `range` are about to be removed from `table`.
    ///
    /// Context: under the lock; may sleep iff the lock does and [`Range::blockable`] says so.
    #[inline]
    fn invalidate(&self, _state: &mut Self::State, _table: &Table, _range: &Range<'_>) {}

    /// They are gone; the VM goes on when this returns.
    ///
    /// Not called for flushes of the TLB-flush model, which do not come with a range.
    ///
    /// Context: may sleep iff [`Range::blockable`] says so.
    #[inline]
    fn invalidated(&self, _range: &Range<'_>) {}

    /// The translations of `start..end` are about to be removed: the TLB-flush model's
    /// [`invalidate`](Self::invalidate).
    ///
    /// Context: atomic; under the lock.
    #[inline]
    fn flush(&self, _state: &mut Self::State, _table: &Table, _start: usize, _end: usize) {}

    /// The range is not changing any more: the range model's end.
    ///
    /// Context: may sleep iff [`Range::blockable`] says so.
    #[inline]
    fn ended(&self, _range: &Range<'_>) {}

    /// The VM has asked whether a translation of `start..end` is `young`, and none is any more.
    ///
    /// Context: atomic; under the lock. Not for an [`IntervalMirror`], which is not asked.
    #[inline]
    fn aged(&self, _state: &mut Self::State, _start: usize, _end: usize, _young: bool) {}

    /// The address space dies; the table is empty, and stays so. Comes once; not for a mirror that
    /// is dropped before. The ranges of the dying may still come.
    ///
    /// Context: under the lock, which is all that may keep it from sleeping.
    #[inline]
    fn release(&self, _state: &mut Self::State) {}
}

/// What a driver adds to an [`IntervalMirror`].
pub trait IntervalMirrorOps: MirrorOps {
    /// Called first, with nothing changed yet.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] for a range that the other callbacks must sleep for.
    ///
    /// Context: may sleep iff [`Range::blockable`] says so.
    #[inline]
    fn prepare<'a>(&self, _range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
        Ok(())
    }
}

/// Why a translation was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An invalidation came between: try again.
    Collided,
    /// There is none to make, for the reason given.
    Failed(Error),
}

impl From<Fault> for Error {
    /// A collision is `EAGAIN`.
    #[inline]
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Collided => EAGAIN,
            Fault::Failed(error) => error,
        }
    }
}

impl From<Error> for Fault {
    #[inline]
    fn from(error: Error) -> Self {
        Fault::Failed(error)
    }
}

/// What a mirror's lock protects.
///
/// # Invariants
///
/// `table` is empty if `dead`.
pub(crate) struct Locked<S> {
    table: Table,
    state: S,
    retry: Retry,
    dead: bool,
}

impl<S> Locked<S> {
    #[inline]
    fn new(state: S) -> Self {
        Locked {
            table: Table::new(),
            state,
            retry: Retry::new(),
            dead: false,
        }
    }

    /// The address space is dying. Returns whether it was alive until now, and what the table had,
    /// which is better freed without the lock.
    #[inline]
    fn die(&mut self) -> (bool, Table) {
        let alive = !core::mem::replace(&mut self.dead, true);
        (alive, core::mem::replace(&mut self.table, Table::new()))
    }
}

/// The lock of a mirror, held.
#[must_use = "the mirror unlocks when the guard is dropped"]
pub struct MirrorGuard<'m, T: MirrorOps>(Guard<'m, Locked<T::State>, T::Lock>);

impl<T: MirrorOps> MirrorGuard<'_, T> {
    /// The driver's data.
    #[inline]
    pub fn state(&self) -> &T::State {
        &self.0.state
    }

    /// The driver's data, to change.
    #[inline]
    pub fn state_mut(&mut self) -> &mut T::State {
        &mut self.0.state
    }

    /// The translations.
    #[inline]
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// Whether the address space is dead.
    #[inline]
    pub fn is_dead(&self) -> bool {
        self.0.dead
    }

    /// The page at `addr`, if there is a translation that allows `access`.
    ///
    /// Marks it young, and for [`Access::Write`] dirty.
    #[inline]
    pub fn get(&mut self, addr: usize, access: Access) -> Option<Frame<'_>> {
        self.0.table.access(addr, access)
    }

    /// What the table says of the page at `addr`.
    #[inline]
    pub fn entry(&self, addr: usize) -> Option<Entry> {
        self.0.table.entry(addr)
    }

    /// Removes the translations of `range`; returns how many there were.
    #[inline]
    pub fn remove(&mut self, range: Addresses<usize>) -> usize {
        self.0.table.remove(range)
    }

    /// Calls `was_dirty` with each page of `range` that was written since this was last called,
    /// and takes the right to write away, so that the next write faults and is marked.
    #[inline]
    pub fn clear_dirty(
        &mut self,
        range: Addresses<usize>,
        mut was_dirty: impl FnMut(&mut T::State, usize),
    ) {
        let locked = &mut *self.0;
        locked
            .table
            .clear_dirty(range, |addr| was_dirty(&mut locked.state, addr));
    }
}
