// SPDX-License-Identifier: GPL-2.0

//! What passes remember of slots, and what the watchdog makes of it.

use super::*;
use crate::slots::Claim;
use kernel::bindings;

fn reader(mm: usize) -> Key {
    Key::list_of(mm as *mut bindings::mm_struct)
}

fn intervals(mm: usize) -> Key {
    Key::intervals_of(mm as *mut bindings::mm_struct)
}

/// The slot that `key` is in.
fn slot_of(key: Key) -> Option<Slot> {
    let mut found = None;
    slots::for_each(|_, slot| {
        if slot.occupant().is_some_and(|occupant| occupant.key == key) {
            found = Some(slot);
        }
    });
    found
}

#[kernel::macros::kunit_tests(mmu_notifier_monitor)]
mod cases {
    use super::*;

    #[test]
    fn numbers_of_passes_wrap() {
        assert!(reached(5, 5));
        assert!(reached(6, 5));
        assert!(!reached(4, 5));
        assert!(reached(0, usize::MAX));
        assert!(reached(3, usize::MAX - 3));
        assert!(!reached(usize::MAX, 0));
        assert!(reached(usize::MAX, usize::MAX - 1));
    }

    #[test]
    fn a_reader_is_remembered_since_the_pass_that_saw_it_first() -> Result {
        let key = reader(0x1000);
        let claim = Claim::another(key);
        let slot = slot_of(key).ok_or(EINVAL)?;
        let mut seen = None;
        look(&mut seen, slot, 10, 1000);
        assert!(seen
            .as_ref()
            .is_some_and(|seen| seen.since_pass == 10 && seen.since == 1000));
        if let Some(seen) = &mut seen {
            seen.told = true;
        }
        // Still the same.
        look(&mut seen, slot, 11, 1100);
        assert!(seen
            .as_ref()
            .is_some_and(|seen| seen.since_pass == 10 && seen.since == 1000 && seen.told));
        drop(claim);
        look(&mut seen, slot, 12, 1200);
        assert!(seen.is_none());
        Ok(())
    }

    #[test]
    fn the_next_reader_in_a_slot_is_another_one() -> Result {
        let key = reader(0x1000);
        let claims = [Claim::another(key)];
        let slot = slot_of(key).ok_or(EINVAL)?;
        let mut seen = None;
        look(&mut seen, slot, 10, 1000);
        let first = seen.as_ref().map(|seen| seen.occupant);
        drop(claims);
        // The slot among them, of whichever processor it is.
        let all = slots::tests::fill(key)?;
        look(&mut seen, slot, 11, 1100);
        assert!(seen.as_ref().is_some_and(|seen| seen.since_pass == 11
            && seen.since == 1100
            && Some(seen.occupant) != first));
        drop(all);
        Ok(())
    }

    #[test]
    fn readers_by_key_and_pass() -> Result {
        let (key, other) = (reader(0x1000), intervals(0x2000));
        let claims = [Claim::another(key), Claim::another(other)];
        let mut seen = [const { None }; 3];
        let [first, _, last] = &mut seen;
        look(first, slot_of(key).ok_or(EINVAL)?, 10, 0);
        look(last, slot_of(other).ok_or(EINVAL)?, 12, 0);
        let has = |pass, wanted: Key| has_reader(&seen, pass, |key| key == wanted);
        // One that came later does not have what was put before.
        assert!(!has(9, key));
        assert!(has(10, key) && has(11, key));
        assert!(!has(11, other));
        assert!(has(12, other));
        assert!(!has(12, reader(0x2000)));
        assert!(!has(12, reader(0x3000)));
        // Those who are in a slot to be seen only are no readers of a list.
        assert!(has_reader(&seen, 12, Key::is_list));
        drop(claims);
        let [first, _, _] = &mut seen;
        *first = None;
        assert!(!has_reader(&seen, 12, Key::is_list));
        Ok(())
    }

    #[test]
    fn a_barrier_is_a_whole_pass() {
        let before = BEGUN.load(Acquire);
        barrier();
        let now = SETTLED.load(Acquire);
        assert!(now != before && reached(now, before));
    }

    #[test]
    fn the_watchdog_tells_once() -> Result {
        let key = reader(0x1000);
        let claim = Claim::another(key);
        claim.note(barrier as *const c_void);
        // SAFETY: No preconditions.
        let limit = unsafe { ffi::mmn_stuck_after() } as c_ulong * HZ;
        let told = |seen: &[Option<Seen>; 2]| {
            let [_, seen] = seen;
            seen.as_ref().is_some_and(|seen| seen.told)
        };
        let mut seen = [const { None }; 2];
        let [_, mine] = &mut seen;
        // The time wraps meanwhile.
        let since = c_ulong::MAX - 3;
        look(mine, slot_of(key).ok_or(EINVAL)?, 1, since);
        let pause = (limit / 4).max(1);
        assert!(limit == 0 || watchdog::look(&mut seen, since) == Some(pause));
        assert!(!told(&seen));
        assert!(limit == 0 || watchdog::look(&mut seen, since.wrapping_add(limit - 1)).is_some());
        assert!(!told(&seen));
        watchdog::look(&mut seen, since.wrapping_add(limit));
        assert_eq!(told(&seen), limit != 0);
        watchdog::look(&mut seen, since.wrapping_add(2 * limit));
        assert_eq!(told(&seen), limit != 0);
        drop(claim);
        Ok(())
    }
}
