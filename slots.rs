// SPDX-License-Identifier: GPL-2.0

//! Hazard slots: where a reader says which address space's list it reads.
//!
//! Each processor has a few slots. A reader claims a free one for its address space and
//! gives it back when it has read, be that after a sleep and on another processor. Whoever has
//! unlinked something looks at every slot once, and waits for those that hold its own key. So a
//! reader that is stuck delays those who wait for the same address space, and nobody else; an
//! address space costs no memory, and nothing is to be made or torn down with it.
//!
//! ```text
//!  reader                                waiter
//!    key = mm     (claim, full barrier)    unlink
//!    walk the list, call back              full barrier
//!    turn++       (release)                look: key != mm?         then nothing to wait for
//!    key = null   (release)                else wait until the turn or the key changes
//! ```
//!
//! If the waiter does not see the key, then either the reader's claim comes after its look, hence
//! after the unlinking, and the reader does not find what was unlinked; or the reader is done, and
//! the release says that it has used it for the last time. The turn tells one reader from the
//! next in the same slot, so that a waiter does not wait for those who came later.
//!
//! When all slots of a processor are taken (by callbacks that sleep), a reader takes one of the
//! spare slots of the machine. When those are taken as well it is told so, see
//! [`crate::domain`].

use core::{
    cell::UnsafeCell,
    ffi::c_void,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    current,
    ffi::c_uint,
    sync::atomic::{
        atomic_load,
        cmpxchg,
        ordering::{
            Acquire,
            Full,
            Relaxed, //
        },
        Atomic, //
    }, //
};

use crate::ffi;

/// Slots of a processor.
const EACH: usize = {
    const fn of<const N: usize>(_: fn(&ffi::mmn_slots) -> &[ffi::mmn_slot; N]) -> usize {
        N
    }
    of(|line| &line.slots)
};
/// Lines of slots beyond those of the processors.
const SPARE: usize = 64;

/// A line of slots in static memory, accessed as this module's documentation says.
#[repr(transparent)]
struct Line(UnsafeCell<ffi::mmn_slots>);

// SAFETY: What is in it is accessed by untorn loads and stores, and written to by the owner only;
// a claim makes sure that there is one. `NOWHERE` is written to by many, and means nothing.
unsafe impl Sync for Line {}

/// Nobody in it.
#[allow(clippy::declare_interior_mutable_const)]
const EMPTY_LINE: Line = Line(UnsafeCell::new(ffi::mmn_slots {
    slots: [const {
        ffi::mmn_slot {
            key: ptr::null_mut(),
            turn: 0,
            task: ptr::null_mut(),
            callback: ptr::null(),
        }
    }; EACH],
}));

static SPARE_LINES: [Line; SPARE] = [EMPTY_LINE; SPARE];

/// A line whose first slot is everybody's who finds no other, for nobody to look at: what they
/// write there, all at once, means nothing.
static NOWHERE: Line = EMPTY_LINE;

/// How many of the spare lines were ever looked at for a free slot; nobody looks at the others.
static SPARE_USED: Atomic<usize> = Atomic::<usize>::new(0);

/// What a reader reads: an address that is never looked at, and unique among living readers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(*mut c_void);

impl Key {
    /// The list of subscriptions to an address space.
    #[inline(always)]
    pub(crate) fn list_of(mm: *mut bindings::mm_struct) -> Self {
        Self(mm.cast())
    }

    /// The interval subscriptions of an address space, which need no protection by slots: they are
    /// in one to be seen.
    #[inline(always)]
    pub(crate) fn intervals_of(mm: *mut bindings::mm_struct) -> Self {
        Self(mm.cast::<c_void>().wrapping_byte_add(1))
    }

    /// Whether it is that of a list, whose readers must be waited for.
    pub(crate) fn is_list(self) -> bool {
        self.0.addr() & 1 == 0
    }

    /// The address space, as an address to compare.
    pub(crate) fn mm(self) -> *const c_void {
        self.0.map_addr(|addr| addr & !1)
    }

    /// As a number to keep elsewhere.
    pub(crate) fn as_ptr(self) -> *mut c_void {
        self.0
    }
}

/// A slot.
///
/// # Invariants
///
/// It is static memory, accessed as this module's documentation says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(NonNull<ffi::mmn_slot>);

impl Slot {
    /// The slot `n` of a line.
    ///
    /// # Safety
    ///
    /// `line` must be static and `n` be less than [`EACH`].
    #[inline(always)]
    unsafe fn of(line: *mut ffi::mmn_slots, n: usize) -> Self {
        // INVARIANT: By this function's own requirements.
        // SAFETY: As above; this only computes an address.
        Self(unsafe { NonNull::new_unchecked(line.cast::<ffi::mmn_slot>().add(n)) })
    }

    /// Where the key is.
    #[inline(always)]
    fn key(self) -> *mut *mut c_void {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw mut (*self.0.as_ptr()).key }
    }

    /// Where the turn is.
    #[inline(always)]
    fn turn(self) -> *mut usize {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw mut (*self.0.as_ptr()).turn }
    }

    fn nowhere() -> Self {
        // SAFETY: Static.
        unsafe { Self::of(NOWHERE.0.get(), 0) }
    }

    /// Takes the slot for `key` if it is free, with a full barrier.
    fn claim(self, key: Key) -> Option<Claim> {
        // SAFETY: By the type invariant.
        unsafe {
            if !ffi::read_once(self.key()).is_null()
                || cmpxchg(self.key(), ptr::null_mut(), key.0, Full).is_err()
            {
                return None;
            }
            ffi::write_once(&raw mut (*self.0.as_ptr()).task, current!().as_ptr());
        }
        // INVARIANT: Just claimed.
        Some(Claim(self))
    }

    /// Who is in the slot, if anybody.
    pub(crate) fn occupant(self) -> Option<Occupant> {
        // SAFETY: By the type invariant; written by untorn stores.
        unsafe {
            let key = atomic_load(self.key(), Acquire);
            if key.is_null() {
                return None;
            }
            Some(Occupant {
                key: Key(key),
                turn: atomic_load(self.turn(), Acquire),
            })
        }
    }

    /// Whether `occupant` still is in the slot.
    ///
    /// If not, all that it has read, called and written comes before this.
    pub(crate) fn is_still_of(self, occupant: Occupant) -> bool {
        self.occupant() == Some(occupant)
    }

    /// The task in the slot, and what it has called last; null if it calls nothing. (In the walk of
    /// a hook, up to its first call, what another has called there: a store that is not worth it.)
    ///
    /// Torn unless the occupant was the same before and after.
    pub(crate) fn reader(self) -> (*mut bindings::task_struct, *const c_void) {
        // SAFETY: By the type invariant; written by untorn stores.
        unsafe {
            (
                ffi::read_once(&raw const (*self.0.as_ptr()).task),
                ffi::read_once(&raw const (*self.0.as_ptr()).callback),
            )
        }
    }
}

/// A slot that is the current task's until drop; or [`NOWHERE`], which is no protection.
///
/// # Invariants
///
/// The task that has it claimed the slot and has not given it back, unless it is nowhere.
#[must_use = "the slot is given back on drop"]
pub(crate) struct Claim(Slot);

impl Claim {
    /// Claims the first slot of this processor, with a full barrier; `None` if it is taken.
    ///
    /// Context: any but NMI.
    #[inline(always)]
    pub(crate) fn first(key: Key) -> Option<Self> {
        // INVARIANT: Just claimed. The slots of processors are static.
        // SAFETY: No preconditions.
        NonNull::new(unsafe { ffi::mmn_slots_enter(key.0) }).map(|slot| Self(Slot(slot)))
    }

    /// Claims any other slot, with a full barrier.
    ///
    /// Context: any but NMI.
    #[cold]
    #[inline(never)]
    pub(crate) fn another(key: Key) -> Self {
        let found = Self::another_here(key).or_else(|| {
            SPARE_LINES.iter().enumerate().find_map(|(n, line)| {
                // The barrier of the claim comes after it: who does not see it misses nobody.
                use_spare_lines(n.wrapping_add(1));
                // SAFETY: Static.
                (0..EACH).find_map(|n| unsafe { Slot::of(line.0.get(), n) }.claim(key))
            })
        });
        // INVARIANT: Nowhere.
        found.unwrap_or(Self(Slot::nowhere()))
    }

    /// Claims a slot of this processor only to be seen there, if one is free.
    ///
    /// Context: any but NMI.
    #[inline(always)]
    pub(crate) fn to_be_seen(key: Key) -> Self {
        Self::first(key).unwrap_or_else(|| {
            // INVARIANT: Nowhere.
            Self::another_here(key).unwrap_or(Self(Slot::nowhere()))
        })
    }

    #[cold]
    #[inline(never)]
    fn another_here(key: Key) -> Option<Self> {
        // SAFETY: No preconditions.
        let here = unsafe { ffi::mmn_slots_here() };
        // SAFETY: The lines of processors are static.
        (1..EACH).find_map(|n| unsafe { Slot::of(here, n) }.claim(key))
    }

    /// Whether there was no slot to claim.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.0 == Slot::nowhere()
    }

    /// Says which callback is about to be called.
    #[inline(always)]
    pub(crate) fn note(&self, callback: *const c_void) {
        // SAFETY: By the type invariants.
        unsafe { ffi::write_once(&raw mut (*self.0 .0.as_ptr()).callback, callback) };
    }
}

impl Drop for Claim {
    #[inline(always)]
    fn drop(&mut self) {
        // Both are releases: a waiter may see either of them first.
        //
        // SAFETY: By the type invariants.
        unsafe {
            let turn = self.0.turn();
            ffi::store_release(turn, ffi::read_once(turn).wrapping_add(1));
            ffi::store_release(self.0.key(), ptr::null_mut());
        }
    }
}

/// A reader in a slot, told from those before and after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occupant {
    pub(crate) key: Key,
    turn: usize,
}

/// Has the first `lines` of the spare lines looked at from now on.
fn use_spare_lines(lines: usize) {
    let mut used = SPARE_USED.load(Relaxed);
    while used < lines {
        match SPARE_USED.cmpxchg(used, lines, Relaxed) {
            Ok(_) => return,
            Err(now) => used = now,
        }
    }
}

/// How many slots [`for_each`] numbers at most.
pub(crate) fn count() -> usize {
    processors().wrapping_add(SPARE).wrapping_mul(EACH)
}

fn processors() -> usize {
    // SAFETY: Set at boot.
    (unsafe { bindings::nr_cpu_ids }) as usize
}

/// Visits every slot that may be taken, with its number.
///
/// A reader that was in a slot before the call is in it when it is visited, or gone. For that the
/// caller needs a full barrier before the call.
pub(crate) fn for_each(mut visit: impl FnMut(usize, Slot)) {
    let mut line = |index: usize, line: *mut ffi::mmn_slots| {
        for n in 0..EACH {
            // SAFETY: All lines are static.
            visit(index.wrapping_mul(EACH).wrapping_add(n), unsafe {
                Slot::of(line, n)
            });
        }
    };
    for cpu in 0..processors() {
        // SAFETY: The number is in bounds.
        let slots = unsafe { ffi::mmn_slots_of(cpu as c_uint) };
        if !slots.is_null() {
            line(cpu, slots);
        }
    }
    for (n, spare) in SPARE_LINES
        .iter()
        .enumerate()
        .take(SPARE_USED.load(Relaxed))
    {
        line(processors().wrapping_add(n), spare.0.get());
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/slots.rs"]
pub(crate) mod tests;
