// SPDX-License-Identifier: GPL-2.0

//! Claiming slots, up to the last one.

use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KVec, //
    },
    prelude::*, //
};

use super::*;

/// Things with addresses of their own, in the place of an `mm`.
static PLACES: [Atomic<usize>; 2] = [const { Atomic::<usize>::new(0) }; 2];

/// Keys that nobody else has.
pub(crate) fn key() -> Key {
    Key::list_of((&raw const PLACES[0]).cast_mut().cast())
}

fn other_key() -> Key {
    Key::list_of((&raw const PLACES[1]).cast_mut().cast())
}

/// Takes every slot of the machine that is free for `key`.
pub(crate) fn fill(key: Key) -> Result<KVec<Claim>> {
    let mut claims = KVec::with_capacity(count(), GFP_KERNEL)?;
    loop {
        let claim = Claim::another(key);
        if claim.is_nowhere() {
            break;
        }
        claims.push_within_capacity(claim).map_err(|_| ENOMEM)?;
    }
    let mut result = Ok(());
    // Those of the other processors, and the first ones.
    for_each(|_, slot| {
        if let Some(claim) = slot.claim(key) {
            if claims.push_within_capacity(claim).is_err() {
                result = Err(ENOMEM);
            }
        }
    });
    result.map(|()| claims)
}

/// How many slots `key` has.
fn taken(key: Key) -> usize {
    let mut taken = 0;
    for_each(|_, slot| {
        taken += usize::from(slot.occupant().is_some_and(|occupant| occupant.key == key));
    });
    taken
}

#[kernel::macros::kunit_tests(mmu_notifier_slots)]
mod cases {
    use super::*;

    #[test]
    fn keys_tell_lists_from_intervals() {
        let mm = (&raw const PLACES[0]).cast_mut().cast();
        let (list, intervals) = (Key::list_of(mm), Key::intervals_of(mm));
        assert!(list != intervals);
        assert!(list.is_list());
        assert!(!intervals.is_list());
        assert!(list.mm() == mm.cast());
        assert!(intervals.mm() == mm.cast());
    }

    #[test]
    fn one_at_a_time_and_each_with_its_turn() {
        static LINE: Line = EMPTY_LINE;
        // SAFETY: Static; nobody looks at it but this test.
        let (slot, next) = unsafe { (Slot::of(LINE.0.get(), 3), Slot::of(LINE.0.get(), 4)) };
        assert!(slot.occupant().is_none());
        let claim = slot.claim(key());
        assert!(claim.is_some());
        assert!(slot.claim(key()).is_none());
        assert!(slot.claim(other_key()).is_none());
        assert!(next.occupant().is_none());
        let first = slot.occupant();
        assert!(first.is_some_and(|first| first.key == key() && slot.is_still_of(first)));
        drop(claim);
        assert!(slot.occupant().is_none());
        assert!(first.is_some_and(|first| !slot.is_still_of(first)));
        // The same key again is somebody else.
        let claim = slot.claim(key());
        let second = slot.occupant();
        assert!(second.is_some() && second != first);
        assert!(first.is_some_and(|first| !slot.is_still_of(first)));
        drop(claim);
    }

    #[test]
    fn tells_who_and_what() {
        static LINE: Line = EMPTY_LINE;
        // SAFETY: Static; nobody looks at it but this test.
        let slot = unsafe { Slot::of(LINE.0.get(), 0) };
        let claim = slot.claim(key());
        let callback = tells_who_and_what as *const c_void;
        if let Some(claim) = &claim {
            claim.note(callback);
        }
        assert!(slot.reader() == (current!().as_ptr(), callback));
        drop(claim);
    }

    #[test]
    fn the_first_of_a_processor_is_taken_once() -> Result {
        let mut claims = KVec::with_capacity(processors() + 1, GFP_KERNEL)?;
        // There are no more first slots than processors, whichever this runs on.
        let mut refused = false;
        for _ in 0..=processors() {
            match Claim::first(key()) {
                Some(claim) => claims.push_within_capacity(claim).map_err(|_| ENOMEM)?,
                None => refused = true,
            }
        }
        assert!(refused);
        assert!(!claims.is_empty());
        assert_eq!(taken(key()), claims.len());
        drop(claims);
        assert_eq!(taken(key()), 0);
        Ok(())
    }

    #[test]
    fn all_can_be_taken() -> Result {
        let mut claims = fill(key())?;
        assert_eq!(SPARE_USED.load(Relaxed), SPARE);
        assert_eq!(taken(key()), claims.len());
        assert!(claims.len() >= (SPARE + 1) * EACH);
        let (mut visited, mut free, mut highest) = (0, 0, 0);
        for_each(|number, slot| {
            visited += 1;
            highest = highest.max(number);
            free += usize::from(slot.occupant().is_none());
        });
        assert_eq!(free, 0);
        assert_eq!(visited, claims.len());
        assert!(highest < count());

        // Then many can be nowhere, and nobody sees them.
        let nowhere = [Claim::another(other_key()), Claim::to_be_seen(other_key())];
        assert!(nowhere.iter().all(|claim| claim.is_nowhere()));
        nowhere.iter().for_each(|claim| claim.note(ptr::null()));
        assert_eq!(taken(other_key()), 0);
        drop(nowhere);
        assert!(Claim::first(other_key()).is_none());

        // One that is given back is found, wherever it is.
        let spare = claims.iter().position(|claim| claim.0 == last_spare());
        assert!(spare.is_some());
        if let Some(spare) = spare {
            drop(claims.remove(spare));
        }
        let again = Claim::another(other_key());
        assert!(again.0 == last_spare());
        assert_eq!(taken(other_key()), 1);
        // Not by who wants to be seen only.
        drop(again);
        assert!(Claim::to_be_seen(other_key()).is_nowhere());
        drop(claims);
        assert_eq!(taken(key()) + taken(other_key()), 0);
        Ok(())
    }

    #[test]
    fn spare_lines_are_looked_at_from_their_first_use_on() {
        let before = SPARE_USED.load(Relaxed);
        use_spare_lines(before);
        assert_eq!(SPARE_USED.load(Relaxed), before);
        use_spare_lines(before.saturating_sub(1));
        assert_eq!(SPARE_USED.load(Relaxed), before);
    }
}

/// The last slot of the last spare line.
fn last_spare() -> Slot {
    // SAFETY: Static.
    unsafe { Slot::of(SPARE_LINES[SPARE - 1].0.get(), EACH - 1) }
}
