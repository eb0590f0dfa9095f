// SPDX-License-Identifier: GPL-2.0

//! Which pages of an area may be in the page tables.

use core::ops::Range;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    }, //
};

/// A page that may be in the page tables: by which tear-down it is being taken out.
type Record = Option<Ticket>;

/// Names a tear-down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Room for one record, to be allocated without a lock.
pub(super) struct Room(RBTreeNodeReservation<usize, Record>);

impl Room {
    /// Context: sleeps.
    #[inline]
    pub(super) fn new() -> Result<Self> {
        RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT).map(Room)
    }
}

/// What [`Records::enter`] says of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It has a record now.
    New,
    /// It had one.
    Known,
    /// It is being taken out; or no page may enter any more.
    Refused,
}

/// The records, by offset into the area.
///
/// # Invariants
///
/// Each page that is in the page tables has a record. While a tear-down runs, so have the pages
/// that it takes out; this is what another one for the same pages waits for. It waits for pages
/// and not for ranges, because a zap is itself announced in the other process: as a range of pages
/// that no area ever has, since a mapping of one cannot be mirrored.
pub(super) struct Records {
    pages: RBTree<usize, Record>,
    last: u64,
    revoked: bool,
}

impl Records {
    #[inline]
    pub(super) fn new() -> Self {
        Records {
            pages: RBTree::new(),
            last: 0,
            revoked: false,
        }
    }

    /// Nothing may enter from now on.
    #[inline]
    pub(super) fn revoke(&mut self) {
        self.revoked = true;
    }

    #[inline]
    pub(super) fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// The page at `offset` is about to be entered.
    #[inline]
    pub(super) fn enter(&mut self, offset: usize, room: Room) -> Entered {
        if self.revoked {
            return Entered::Refused;
        }
        match self.pages.get(&offset) {
            None => {
                self.pages.insert(room.0.into_node(offset, None));
                Entered::New
            }
            Some(None) => Entered::Known,
            Some(Some(_)) => Entered::Refused,
        }
    }

    /// A tear-down of the pages of `range` begins; returns where those lie that no other takes out.
    #[inline]
    pub(super) fn begin(&mut self, range: &Range<usize>) -> Option<(Ticket, Range<usize>)> {
        self.last += 1;
        let ticket = Ticket(self.last);
        let mut found: Option<Range<usize>> = None;
        let mut next = self.pages.cursor_lower_bound_mut(&range.start);
        while let Some(mut here) = next {
            let (&offset, record) = here.current_mut();
            if offset >= range.end {
                break;
            }
            if record.is_none() {
                *record = Some(ticket);
                found = Some(found.map_or(offset, |found| found.start)..offset + 1);
            }
            next = here.move_next();
        }
        found.map(|found| (ticket, found))
    }

    /// A tear-down of the pages of `range` has ended; returns how many pages it took out.
    #[inline]
    pub(super) fn end(&mut self, ticket: Ticket, range: &Range<usize>) -> usize {
        self.remove(range, Some(ticket))
    }

    /// The mapping is gone: forgets all pages but those that a tear-down still counts.
    #[inline]
    pub(super) fn close(&mut self) -> usize {
        self.remove(&(0..usize::MAX), None)
    }

    /// Whether a page of `range` is being taken out.
    #[inline]
    pub(super) fn is_busy(&mut self, range: &Range<usize>) -> bool {
        let mut next = self.pages.cursor_lower_bound_mut(&range.start);
        while let Some(here) = next {
            let (&offset, record) = here.current();
            if offset >= range.end {
                break;
            }
            if record.is_some() {
                return true;
            }
            next = here.move_next();
        }
        false
    }

    #[inline]
    fn remove(&mut self, range: &Range<usize>, like: Record) -> usize {
        let mut removed = 0;
        let mut next = self.pages.cursor_lower_bound_mut(&range.start);
        // Behind the last of all comes the one before it, again.
        while let Some(here) = next.filter(|here| range.contains(here.current().0)) {
            next = if *here.current().1 == like {
                removed += 1;
                here.remove_current().0
            } else {
                here.move_next()
            };
        }
        removed
    }
}
