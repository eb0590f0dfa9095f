// SPDX-License-Identifier: GPL-2.0

//! The collision-retry protocol, step by step.

use core::cell::Cell;

use super::*;
use crate::fixture::{
    pause,
    wait_until,
    warnings_in,
    Notes,
    Space,
    Thread, //
};

mod itree_driver;

use itree_driver::{
    Driver,
    FINISH,
    ONE_PASS,
    TWO_PASSES, //
};

const PAGE: c_ulong = 0x1000;

/// What the protocol's table has two columns for.
fn state(space: &Space) -> (c_ulong, c_ulong) {
    let mut locked = space.subscriptions().lock();
    (*locked.active_ranges(), locked.seq().raw())
}

fn set_seq(space: &Space, seq: c_ulong) {
    space.subscriptions().lock().set_seq(Seq::from_raw(seq));
}

fn nothing_deferred(space: &Space) -> bool {
    let mut locked = space.subscriptions().lock();
    // SAFETY: Under its lock.
    unsafe { (*locked.deferred()).first.is_null() }
}

/// Whether somebody is asleep until the sequence changes.
fn somebody_waits(space: &Space) -> bool {
    let _locked = space.subscriptions().lock();
    // SAFETY: Initialised.
    unsafe { has_sleeper(space.subscriptions().wait_queue()) }
}

fn start_as(space: &Space, start: c_ulong, end: c_ulong, flags: u32) -> Result {
    let range = bindings::mmu_notifier_range {
        mm: space.raw(),
        start,
        end,
        flags,
        event: bindings::mmu_notifier_event_MMU_NOTIFY_UNMAP,
        owner: ptr::null_mut(),
    };
    // SAFETY: It lives until the end of the call.
    invalidate_range(space, unsafe { Range::from_raw(&range) })
}

fn invalidate_range(space: &Space, range: Range<'_>) -> Result {
    super::invalidate(space.subscriptions(), range)
}

/// Starts an invalidation that may sleep.
fn start(space: &Space, start: c_ulong, end: c_ulong) -> Result {
    start_as(space, start, end, bindings::MMU_NOTIFIER_RANGE_BLOCKABLE)
}

fn end(space: &Space) {
    inv_end(space.subscriptions());
}

#[kernel::macros::kunit_tests(mmu_notifier_itree)]
mod cases {
    use super::*;

    #[test]
    fn a_quiet_insert_is_one_step_behind() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let pins = mm::count(space.mm());
        assert_eq!(state(&space), (0, 2));
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(driver.is_in_tree());
        assert_eq!(driver.seq(), 1);
        assert_eq!(state(&space), (0, 2));
        assert_eq!(mm::count(space.mm()), pins + 1);
        let seq = driver.read_begin();
        assert_eq!(seq, 1);
        assert!(!driver.must_retry(seq));
        driver.remove();
        assert!(notes.are(&[]));
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn an_invalidation_that_meets_makes_it_odd() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        let before = driver.read_begin();
        assert!(start(&space, 0, 2 * PAGE).is_ok());
        assert!(notes.are(&[1]));
        assert_eq!(driver.seen.get(), 3);
        assert_eq!(state(&space), (1, 3));
        assert!(driver.must_retry(before));
        end(&space);
        assert_eq!(state(&space), (0, 4));
        let after = driver.read_begin();
        assert_eq!(after, 3);
        assert!(!driver.must_retry(after));
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert_eq!(state(&space), (1, 5));
        assert!(driver.must_retry(after));
        end(&space);
        assert_eq!(state(&space), (0, 6));
        driver.remove();
        Ok(())
    }

    #[test]
    fn an_invalidation_that_meets_nothing_leaves_it_even() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, 4 * PAGE, PAGE)?;
        assert!(start(&space, PAGE, 4 * PAGE).is_ok());
        assert!(start(&space, 5 * PAGE, 6 * PAGE).is_ok());
        assert_eq!(state(&space), (2, 2));
        end(&space);
        assert_eq!(state(&space), (1, 2));
        end(&space);
        assert_eq!(state(&space), (0, 2));
        assert!(notes.are(&[]));
        driver.remove();
        Ok(())
    }

    #[test]
    fn what_a_range_meets() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, 4 * PAGE, 4 * PAGE)?;
        let last = Driver::inserted(2, &notes, &space, 0usize.wrapping_sub(PAGE), PAGE)?;
        for (from, to, met) in [
            (0, 4 * PAGE, &[][..]),
            (0, 4 * PAGE + 1, &[1]),
            (5 * PAGE, 6 * PAGE, &[1]),
            (8 * PAGE - 1, 9 * PAGE, &[1]),
            (8 * PAGE, 9 * PAGE, &[]),
            (0, c_ulong::MAX, &[1, 2]),
            // The end of the last page is beyond the last address.
            (c_ulong::MAX, 0, &[2]),
            (9 * PAGE, 0usize.wrapping_sub(PAGE), &[]),
        ] {
            let before = state(&space).1;
            assert!(start(&space, from, to).is_ok());
            assert!(notes.are(met));
            assert_eq!(state(&space), (1, before | c_ulong::from(!met.is_empty())));
            end(&space);
        }
        driver.remove();
        last.remove();
        Ok(())
    }

    #[test]
    fn the_last_of_several_ends_it() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, 0, PAGE).is_ok());
        assert_eq!(state(&space), (1, 2));
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert_eq!(state(&space), (2, 3));
        assert!(start(&space, PAGE, 3 * PAGE).is_ok());
        assert_eq!(state(&space), (3, 3));
        assert!(notes.are(&[1, 1]));
        for active in [2, 1] {
            end(&space);
            assert_eq!(state(&space), (active, 3));
        }
        end(&space);
        assert_eq!(state(&space), (0, 4));
        driver.remove();
        Ok(())
    }

    #[test]
    fn insert_beside_what_meets_nothing() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        assert!(start(&space, 0, PAGE).is_ok());
        assert_eq!(state(&space), (1, 2));
        // Perhaps of this very range: it is as if it had been met.
        let driver = Driver::inserted(1, &notes, &space, 0, PAGE)?;
        assert!(driver.is_in_tree());
        assert!(nothing_deferred(&space));
        assert_eq!(state(&space), (1, 3));
        assert_eq!(driver.seq(), 3);
        end(&space);
        assert_eq!(state(&space), (0, 4));
        assert_eq!(driver.read_begin(), 3);
        assert!(notes.are(&[]));
        driver.remove();
        Ok(())
    }

    #[test]
    fn insert_while_the_tree_is_fixed() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let first = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        let late = Driver::inserted(2, &notes, &space, PAGE, PAGE)?;
        assert!(!late.is_in_tree());
        assert!(!nothing_deferred(&space));
        assert_eq!(late.seq(), 3);
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(notes.are(&[1, 1]));
        end(&space);
        assert!(!late.is_in_tree());
        end(&space);
        assert!(late.is_in_tree());
        assert!(nothing_deferred(&space));
        assert_eq!(state(&space), (0, 4));
        assert_eq!(late.read_begin(), 3);
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(notes.are(&[1, 2]));
        end(&space);
        first.remove();
        late.remove();
        Ok(())
    }

    #[test]
    fn remove_of_what_is_deferred() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let first = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        let pins = mm::count(space.mm());
        let late = [
            Driver::inserted(2, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(3, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(4, &notes, &space, PAGE, PAGE)?,
        ];
        assert_eq!(mm::count(space.mm()), pins + 3);
        // From the middle; it waits for nobody.
        late[1].remove();
        assert_eq!(mm::count(space.mm()), pins + 2);
        assert_eq!(state(&space), (1, 3));
        end(&space);
        assert!(late[0].is_in_tree());
        assert!(!late[1].is_in_tree());
        assert!(late[2].is_in_tree());
        for driver in [&first, &late[0], &late[2]] {
            driver.remove();
        }
        assert!(notes.are(&[1]));
        Ok(())
    }

    #[test]
    fn deferred_inserts_are_made_the_latest_first() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let first = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        let late = [
            Driver::inserted(2, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(3, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(4, &notes, &space, PAGE, PAGE)?,
        ];
        end(&space);
        assert!(notes.are(&[1]));
        // The tree keeps equals in the order in which they came.
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(notes.are(&[1, 4, 3, 2]));
        end(&space);
        first.remove();
        late.iter().for_each(|driver| driver.remove());
        Ok(())
    }

    #[test]
    fn remove_waits_while_the_tree_is_fixed() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let first = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        let other = Driver::inserted(2, &notes, &space, 8 * PAGE, PAGE)?;
        let pins = mm::count(space.mm());
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        // Not met, and in the tree that others walk all the same.
        let thread = Thread::start(|| other.remove())?;
        let waits = wait_until(|| somebody_waits(&space));
        let stays = other.is_in_tree() && !nothing_deferred(&space) && !thread.is_done();
        // It can still be met.
        let nested = start(&space, 8 * PAGE, 9 * PAGE);
        end(&space);
        pause(2);
        let waits_for_the_last = !thread.is_done();
        end(&space);
        drop(thread);
        assert!(waits && stays && waits_for_the_last && nested.is_ok());
        assert!(notes.are(&[1, 2]));
        assert!(nothing_deferred(&space));
        assert_eq!(state(&space), (0, 4));
        assert_eq!(mm::count(space.mm()), pins - 1);
        assert!(start(&space, 0, 9 * PAGE).is_ok());
        assert!(notes.are(&[1]));
        end(&space);
        first.remove();
        Ok(())
    }

    #[test]
    fn inserts_and_removes_are_deferred_side_by_side() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let first = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        let late = Driver::inserted(2, &notes, &space, PAGE, PAGE)?;
        let thread = Thread::start(|| first.remove())?;
        let waits = wait_until(|| somebody_waits(&space));
        end(&space);
        drop(thread);
        assert!(waits);
        assert!(notes.are(&[1]));
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(notes.are(&[2]));
        end(&space);
        late.remove();
        Ok(())
    }

    #[test]
    fn remove_waits_for_nothing_that_meets_nothing() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, 8 * PAGE, 9 * PAGE).is_ok());
        driver.remove();
        assert_eq!(state(&space), (1, 2));
        end(&space);
        Ok(())
    }

    #[test]
    fn read_begin_waits_for_the_last_that_met_it() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(start(&space, 8 * PAGE, 9 * PAGE).is_ok());
        let got = Cell::new(0);
        let thread = Thread::start(|| got.set(driver.read_begin()))?;
        let waits = wait_until(|| somebody_waits(&space));
        end(&space);
        pause(2);
        let waits_for_the_last = !thread.is_done();
        end(&space);
        drop(thread);
        assert!(waits && waits_for_the_last);
        assert_eq!(got.get(), 3);
        assert!(!driver.must_retry(got.get()));
        driver.remove();
        Ok(())
    }

    #[test]
    fn read_begin_waits_for_nothing_elsewhere() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        let other = Driver::inserted(2, &notes, &space, 8 * PAGE, PAGE)?;
        assert!(start(&space, 8 * PAGE, 9 * PAGE).is_ok());
        assert_eq!(state(&space), (1, 3));
        let seq = driver.read_begin();
        assert_eq!(seq, 1);
        assert!(!driver.must_retry(seq));
        // And is told to look again by one that comes between.
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(driver.must_retry(seq));
        end(&space);
        end(&space);
        driver.remove();
        other.remove();
        Ok(())
    }

    #[test]
    fn the_sequence_wraps() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        set_seq(&space, c_ulong::MAX - 1);
        let driver = Driver::inserted(1, &notes, &space, PAGE, PAGE)?;
        assert_eq!(driver.seq(), c_ulong::MAX - 2);
        let before = driver.read_begin();
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert_eq!(state(&space), (1, c_ulong::MAX));
        assert!(driver.must_retry(before));
        let late = Driver::inserted(2, &notes, &space, PAGE, PAGE)?;
        assert_eq!(late.seq(), c_ulong::MAX);
        let thread = Thread::start(|| {
            late.read_begin();
        })?;
        let waits = wait_until(|| somebody_waits(&space));
        end(&space);
        drop(thread);
        assert!(waits);
        assert_eq!(state(&space), (0, 0));
        let newest = Driver::inserted(3, &notes, &space, PAGE, PAGE)?;
        assert_eq!(newest.seq(), c_ulong::MAX);
        let before = newest.read_begin();
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert_eq!(state(&space), (1, 1));
        assert!(newest.must_retry(before));
        end(&space);
        assert_eq!(state(&space), (0, 2));
        for driver in [&driver, &late, &newest] {
            driver.remove();
        }
        Ok(())
    }

    #[test]
    fn one_of_three_refuses() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let drivers = [
            Driver::inserted(1, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(2, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(3, &notes, &space, PAGE, PAGE)?,
        ];
        drivers[1].busy.set(true);
        let before = drivers[2].read_begin();
        assert!(start_as(&space, PAGE, 2 * PAGE, 0) == Err(EAGAIN));
        assert!(notes.are(&[1, 2]));
        // Not started, so not to be ended; the tree is open again.
        assert_eq!(state(&space), (0, 4));
        assert!(!drivers[2].must_retry(before));
        // Beside another it is left as that one has it.
        assert!(start(&space, 8 * PAGE, 9 * PAGE).is_ok());
        assert!(start_as(&space, PAGE, 2 * PAGE, 0) == Err(EAGAIN));
        assert_eq!(state(&space), (1, 5));
        end(&space);
        assert_eq!(state(&space), (0, 6));
        drivers.iter().for_each(|driver| driver.remove());
        Ok(())
    }

    #[test]
    fn who_may_sleep_may_not_refuse() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let drivers = [
            Driver::inserted(1, &notes, &space, PAGE, PAGE)?,
            Driver::inserted(2, &notes, &space, PAGE, PAGE)?,
        ];
        drivers[0].busy.set(true);
        let (result, warnings) = warnings_in(|| start(&space, PAGE, 2 * PAGE));
        assert!(result.is_ok());
        assert_eq!(warnings, 1);
        assert!(notes.are(&[1, 2]));
        assert_eq!(state(&space), (1, 3));
        end(&space);
        drivers.iter().for_each(|driver| driver.remove());
        Ok(())
    }

    #[test]
    fn second_passes_come_after_all_first_ones() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let drivers = [
            Driver::new(1, &notes)?,
            Driver::new(2, &notes)?,
            Driver::new(3, &notes)?,
            Driver::new(4, &notes)?,
        ];
        for driver in &drivers {
            let two = driver.number != 3;
            driver.insert(
                &space,
                PAGE,
                PAGE,
                if two { &TWO_PASSES } else { &ONE_PASS },
            )?;
        }
        assert!(start(&space, PAGE, 2 * PAGE).is_ok());
        assert!(notes.are(&[1, 2, 3, 4, FINISH + 1, FINISH + 2, FINISH + 4]));
        end(&space);
        // Those that have begun are finished, the one that refuses is not.
        drivers[1].busy.set(true);
        assert!(start_as(&space, PAGE, 2 * PAGE, 0) == Err(EAGAIN));
        assert!(notes.are(&[1, 2, FINISH + 1]));
        drivers.iter().for_each(|driver| driver.remove());
        Ok(())
    }

    #[test]
    fn ranges_that_cannot_be() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let pins = mm::count(space.mm());
        let driver = Driver::new(1, &notes)?;
        for (from, length) in [
            (PAGE, 0),
            (0, 0),
            (c_ulong::MAX, 2),
            (PAGE, 0usize.wrapping_sub(PAGE) + 1),
        ] {
            assert!(driver.insert(&space, from, length, &ONE_PASS) == Err(EOVERFLOW));
        }
        assert_eq!(mm::count(space.mm()), pins);
        // Up to the last address, and all but one of them.
        for (from, length) in [(PAGE, 0usize.wrapping_sub(PAGE)), (0, c_ulong::MAX)] {
            driver.insert(&space, from, length, &ONE_PASS)?;
            driver.remove();
        }
        Ok(())
    }

    #[test]
    fn insert_wants_users() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let pins = mm::count(space.mm());
        let driver = Driver::new(1, &notes)?;
        let (result, warnings) =
            space.without_users(|| warnings_in(|| driver.insert(&space, PAGE, PAGE, &ONE_PASS)));
        assert!(result == Err(EINVAL));
        assert_eq!(warnings, 1);
        assert!(!driver.is_in_tree());
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn release_tells_all() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let drivers = [
            Driver::inserted(1, &notes, &space, 0, PAGE)?,
            Driver::inserted(2, &notes, &space, 0usize.wrapping_sub(PAGE), PAGE)?,
        ];
        release(space.subscriptions(), space.mm());
        assert!(notes.are(&[1, 2]));
        assert_eq!(state(&space), (0, 4));
        assert_eq!(drivers[0].seq(), 3);
        drivers.iter().for_each(|driver| driver.remove());
        Ok(())
    }
}
