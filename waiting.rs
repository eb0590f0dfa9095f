// SPDX-License-Identifier: GPL-2.0

//! Who waits for readers of which address space: for the eyes of the watchdog only.

use core::{
    ffi::c_void,
    ptr, //
};
use kernel::{
    bindings,
    current,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        rcu, //
    }, //
};

use crate::slots::Key;

/// How many are remembered at a time; more wait unseen.
const SEATS: usize = 64;

/// A place for one who waits.
struct Seat {
    task: Atomic<*mut bindings::task_struct>,
    key: Atomic<*mut c_void>,
}

static WAITING: [Seat; SEATS] = [const {
    Seat {
        task: Atomic::<*mut bindings::task_struct>::new(ptr::null_mut()),
        key: Atomic::<*mut c_void>::new(ptr::null_mut()),
    }
}; SEATS];

/// The current task, seen to wait until drop.
///
/// # Invariants
///
/// The seat, if there is one, is the current task's.
pub(crate) struct Waiting(Option<&'static Seat>);

impl Waiting {
    /// Says that the current task is about to wait for readers of `key`.
    pub(crate) fn announce(key: Key) -> Self {
        let me = current!().as_ptr();
        // Each begins its search elsewhere, not to meet the others.
        let (before, after) = WAITING.split_at((me.addr() / 64) % SEATS);
        let seat = after.iter().chain(before).find(|seat| {
            seat.task.load(Relaxed).is_null()
                && seat.task.cmpxchg(ptr::null_mut(), me, Full).is_ok()
        });
        if let Some(seat) = seat {
            seat.key.store(key.as_ptr(), Release);
        }
        // INVARIANT: Just taken.
        Self(seat)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            seat.key.store(ptr::null_mut(), Relaxed);
            seat.task.store(ptr::null_mut(), Release);
        }
    }
}

/// Visits the tasks that wait for readers of `key`, which the RCU section keeps.
pub(crate) fn for_each(
    key: Key,
    _rcu: &rcu::Guard,
    mut visit: impl FnMut(*mut bindings::task_struct),
) {
    for seat in &WAITING {
        let task = seat.task.load(Acquire);
        if seat.key.load(Acquire) == key.as_ptr()
            && !task.is_null()
            && seat.task.load(Relaxed) == task
        {
            visit(task);
        }
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[kernel::macros::kunit_tests(mmu_notifier_waiting)]
mod tests {
    use super::*;

    /// A key that nobody reads; even, as the addresses of `mm`s are.
    fn key(n: usize) -> Key {
        Key::list_of((0x1000 * (n + 1)) as *mut bindings::mm_struct)
    }

    /// How many wait for `key`, and whether all of them are the current task.
    fn seated(key: Key) -> (usize, bool) {
        let (mut count, mut mine) = (0, true);
        for_each(key, &rcu::read_lock(), |task| {
            count += 1;
            mine &= task == current!().as_ptr();
        });
        (count, mine)
    }

    #[test]
    fn who_waits_is_seen_by_its_key() {
        assert_eq!(seated(key(0)), (0, true));
        let first = Waiting::announce(key(0));
        let second = Waiting::announce(key(0));
        let other = Waiting::announce(key(1));
        assert_eq!(seated(key(0)), (2, true));
        assert_eq!(seated(key(1)), (1, true));
        assert_eq!(seated(key(2)), (0, true));
        drop(first);
        assert_eq!(seated(key(0)), (1, true));
        drop(other);
        assert_eq!(seated(key(1)), (0, true));
        assert_eq!(seated(key(0)), (1, true));
        drop(second);
        assert_eq!(seated(key(0)), (0, true));
    }

    #[test]
    fn more_than_there_are_seats_wait_unseen() {
        let mut waiting = [const { None }; SEATS + 3];
        waiting.fill_with(|| Some(Waiting::announce(key(0))));
        let (seen, mine) = seated(key(0));
        let unseen = waiting
            .iter()
            .flatten()
            .filter(|waiting| waiting.0.is_none());
        assert!(mine);
        // Others may have some.
        assert!(seen <= SEATS && seen > SEATS / 2);
        assert_eq!(unseen.count(), SEATS + 3 - seen);
        waiting.fill_with(|| None);
        assert_eq!(seated(key(0)), (0, true));
        let again = Waiting::announce(key(0));
        assert!(again.0.is_some());
    }
}
