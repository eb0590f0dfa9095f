// SPDX-License-Identifier: GPL-2.0

//! Whose calls are counted, from when on, and until when.

use super::*;
use kernel::{
    bindings,
    current, //
};

fn key(n: usize) -> *const c_void {
    ptr::without_provenance(0x1000 + 64 * n)
}

fn sums(key: *const c_void) -> (u64, u64, u64) {
    let sums = of(key);
    (sums.calls, sums.time, sums.worst)
}

/// Runs `f` while calls are counted.
fn counting<R>(f: impl FnOnce() -> R) -> R {
    switch(true);
    let result = f();
    switch(false);
    result
}

#[kernel::macros::kunit_tests(mmu_notifier_account)]
mod cases {
    use super::*;

    #[test]
    fn each_subscription_has_its_own_sums() {
        // More than there are buckets.
        const MANY: usize = 600;
        let right = counting(|| {
            for n in 0..MANY {
                add(key(n), n as u64);
                add(key(n), 7);
            }
            (0..MANY).all(|n| sums(key(n)) == (2, n as u64 + 7, (n as u64).max(7)))
        });
        assert!(right);
    }

    #[test]
    fn there_is_a_limit_to_records_and_none_to_what_is_counted() {
        // More than all buckets hold.
        // SAFETY: No preconditions.
        let many = (MOST * unsafe { ffi::mmn_buckets() } + 1) as usize;
        let (recorded, total, after) = counting(|| {
            (0..many).for_each(|n| add(key(n), 1));
            let recorded = (0..many).filter(|&n| sums(key(n)).0 == 1).count();
            let total = totals().calls;
            // There is room again once some are gone.
            (0..many).for_each(|n| forget(key(n)));
            add(key(0), 3);
            (recorded, total, sums(key(0)))
        });
        assert!(recorded > many / 2 && recorded < many);
        assert!(total >= many as u64);
        assert_eq!(after, (1, 3, 3));
    }

    #[test]
    fn no_record_is_made_of_reserves() {
        let (of_it, total) = counting(|| {
            // SAFETY: The task's own; restored below.
            let flags = unsafe { &mut (*current!().as_ptr()).flags };
            *flags |= bindings::PF_MEMALLOC;
            add(key(0), 5);
            *flags &= !bindings::PF_MEMALLOC;
            (sums(key(0)), totals().calls)
        });
        assert_eq!(of_it, (0, 0, 0));
        assert!(total >= 1);
    }

    #[test]
    fn nothing_is_counted_while_it_is_off() {
        add(key(0), 5);
        assert_eq!(sums(key(0)), (0, 0, 0));
        counting(|| add(key(0), 5));
        assert_eq!(sums(key(0)), (0, 0, 0));
        let (before, after) = counting(|| {
            let before = totals().calls;
            add(key(0), 5);
            (before, sums(key(0)))
        });
        // Others may be called.
        assert!(before < 1000);
        assert_eq!(after, (1, 5, 5));
    }

    #[test]
    fn who_comes_to_the_same_address_begins_anew() {
        let (gone, anew, total) = counting(|| {
            add(key(0), 9);
            add(key(1), 3);
            forget(key(0));
            forget(key(2));
            let gone = sums(key(0));
            add(key(0), 4);
            (gone, sums(key(0)), totals())
        });
        assert_eq!(gone, (0, 0, 0));
        assert_eq!(anew, (1, 4, 4));
        assert!(total.calls >= 3 && total.time >= 16 && total.worst >= 9);
    }

    #[test]
    fn there_are_no_records_in_compatible_mode() {
        let (before, during, after, total) = counting(|| {
            add(key(0), 2);
            let before = sums(key(0));
            mode::mmn_go_compatible();
            add(key(0), 2);
            let during = sums(key(0));
            mode::mmn_go_native();
            add(key(0), 2);
            (before, during, sums(key(0)), totals().calls)
        });
        assert_eq!(before, (1, 2, 2));
        assert_eq!(during, (0, 0, 0));
        assert_eq!(after, (1, 2, 2));
        assert!(total >= 3);
    }
}
