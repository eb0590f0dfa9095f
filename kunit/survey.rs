// SPDX-License-Identifier: GPL-2.0

//! All subscriptions are found, in more than one batch as well.

// Callbacks of drivers: as the core calls them.
#![allow(clippy::missing_safety_doc)]

use super::*;
use crate::{
    fixture::Space,
    itree,
    mode,
    registration,
    ticks::HZ, //
};
use kernel::alloc::{
    flags::GFP_KERNEL,
    KVVec, //
};

type IntervalSub = bindings::mmu_interval_notifier;

const PAGE: usize = 0x1000;
/// Marks a start of which there are more.
const MORE: usize = 1;

unsafe extern "C" fn done(
    _sub: *mut IntervalSub,
    _range: *const bindings::mmu_notifier_range,
    _seq: c_ulong,
) -> bool {
    true
}

static OPS: bindings::mmu_interval_notifier_ops = bindings::mmu_interval_notifier_ops {
    invalidate: Some(done),
    invalidate_start: None,
    invalidate_finish: None,
};

/// Inserts one interval for each start, and returns the starts that a survey finds, in order.
fn surveyed(starts: impl Iterator<Item = usize>) -> Result<KVVec<usize>> {
    let space = Space::with_itree()?;
    let mut subs = KVVec::<IntervalSub>::new();
    // None of them is to move once it is inserted.
    subs.reserve(TOGETHER + BATCH, GFP_KERNEL)?;
    for start in starts {
        // SAFETY: Plain data.
        subs.push_within_capacity(unsafe { core::mem::zeroed() })
            .map_err(|_| ENOMEM)?;
        let sub = subs.last_mut().ok_or(EINVAL)?;
        // SAFETY: It stays until it is removed below.
        unsafe { itree::insert(sub, space.mm(), space.subscriptions(), start, PAGE, &OPS) }?;
    }
    let mut found = KVVec::new();
    let mut right = true;
    visit(space.mm(), |entry| {
        let (start, last) = match entry.kind {
            Kind::Interval(start, last) => (start, last),
            Kind::More(start) => {
                right &= found.push(start | MORE, GFP_KERNEL).is_ok();
                return true;
            }
            Kind::Whole => (0, 0),
        };
        right &= last == start + PAGE - 1
            && entry.driver == done as *const c_void
            && entry.age.is_some_and(|age| age < 60 * HZ)
            && subs
                .iter()
                .any(|sub| entry.key == ptr::from_ref(sub).cast());
        right &= found.push(start, GFP_KERNEL).is_ok();
        true
    });
    for sub in subs.iter_mut() {
        // SAFETY: Inserted above.
        unsafe { itree::remove(sub) };
    }
    if right {
        Ok(found)
    } else {
        Err(EINVAL)
    }
}

#[kernel::macros::kunit_tests(mmu_notifier_survey)]
mod cases {
    use super::*;

    #[test]
    fn intervals_are_found_once_each() -> Result {
        for count in [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH] {
            let found = surveyed((0..count).rev().map(|n| n * PAGE))?;
            assert!(found.iter().copied().eq((0..count).map(|n| n * PAGE)));
        }
        Ok(())
    }

    #[test]
    fn intervals_that_start_together_are_found_once_each() -> Result {
        // A batch ends among those of either start.
        let found = surveyed((0..3 * BATCH - 1).map(|n| (n / (BATCH + 20)) * PAGE))?;
        assert_eq!(found.len(), 3 * BATCH - 1);
        assert!(found.iter().copied().is_sorted());
        for (start, count) in [(0, BATCH + 20), (PAGE, BATCH + 20), (2 * PAGE, BATCH - 41)] {
            assert_eq!(found.iter().filter(|&&found| found == start).count(), count);
        }
        Ok(())
    }

    #[test]
    fn of_many_that_start_together_only_some_are_looked_at() -> Result {
        for beyond in [0, 1, BATCH - 3] {
            // Before and after those at one start is one of its own.
            let last = TOGETHER + beyond + 1;
            let found = surveyed((0..=last).map(|n| match n {
                0 => 0,
                n if n < last => PAGE,
                _ => 2 * PAGE,
            }))?;
            let count = |start| found.iter().filter(|&&found| found == start).count();
            assert_eq!(count(PAGE), TOGETHER);
            assert_eq!(count(PAGE | MORE), usize::from(beyond != 0));
            assert_eq!((count(0), count(2 * PAGE)), (1, 1));
            assert!(found.iter().copied().is_sorted());
        }
        Ok(())
    }

    #[test]
    fn it_ends_when_it_is_told_to() -> Result {
        let space = Space::new()?;
        let one = registration::tests::get_one(&space, &registration::tests::OPS)?;
        let two = registration::tests::get_one(&space, &registration::tests::OTHER_OPS)?;
        let visited = |most| {
            let mut count = 0;
            visit(space.mm(), |_| {
                count += 1;
                count < most
            });
            count
        };
        let counts = (visited(1), visited(3));
        // SAFETY: Gives up the holds from above.
        unsafe {
            registration::put(one);
            registration::put(two);
        }
        assert_eq!(counts, (1, 2));
        Ok(())
    }

    #[test]
    fn those_to_the_whole_are_found_with_their_age() -> Result {
        let space = Space::new()?;
        let notifier = registration::tests::get_one(&space, &registration::tests::OPS)?;
        let look = || {
            let (mut count, mut aged) = (0, 0);
            visit(space.mm(), |entry| {
                count += usize::from(entry.key == notifier.as_ptr().cast_const().cast());
                aged += usize::from(entry.age.is_some());
                true
            });
            (count, aged)
        };
        let native = look();
        mode::mmn_go_compatible();
        let compatible = look();
        mode::mmn_go_native();
        let again = look();
        // SAFETY: Gives up the hold from above.
        unsafe { registration::put(notifier) };
        assert_eq!(native, (1, 1));
        // C may have had it meanwhile.
        assert_eq!(compatible, (1, 0));
        assert_eq!(again, (1, 0));
        assert_eq!(look(), (0, 0));
        Ok(())
    }
}
