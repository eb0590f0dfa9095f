// SPDX-License-Identifier: GPL-2.0

//! Lists of locks, and taking them, for locks that belong to no VMA.

use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KBox, //
    },
    static_lock_class,
    str::CStrExt, //
};

use super::*;
use crate::{
    fixture::{
        Space,
        Thread, //
    },
    mm::with_write_lock, //
};

const LOCKS: usize = 8;

/// Locks in memory, in the order of their addresses.
struct Rwsems(KBox<[bindings::rw_semaphore; LOCKS]>);

impl Rwsems {
    fn new() -> Result<Self> {
        // SAFETY: Plain data; initialised below.
        let mut rwsems = Self(KBox::new(unsafe { core::mem::zeroed() }, GFP_KERNEL)?);
        for rwsem in rwsems.0.iter_mut() {
            let key = static_lock_class!();
            // SAFETY: It stays where it is, and the key is static.
            unsafe { bindings::__init_rwsem(rwsem, c"mmn_kunit".as_char_ptr(), key.as_ptr()) };
        }
        Ok(rwsems)
    }

    fn named(&self, class: Class, n: usize) -> Lock {
        Lock::new(class, NonNull::from(&self.0[n]).cast())
    }

    /// The lock `n`, as those of mappings and of anon_vmas by turns.
    fn lock(&self, n: usize) -> Lock {
        self.named([Class::Mapping, Class::AnonVma][n % 2], n)
    }

    /// Those numbers, in this order.
    fn list(&self, numbers: &[usize]) -> Result<KVVec<Lock>> {
        let mut list = KVVec::with_capacity(numbers.len(), GFP_KERNEL)?;
        for &n in numbers {
            list.push_within_capacity(self.lock(n))
                .map_err(|_| ENOMEM)?;
        }
        Ok(list)
    }

    /// How many the current task holds.
    fn held(&self) -> usize {
        let task = current!().as_ptr();
        (0..LOCKS)
            .filter(|&n| self.lock(n).is_held_by(task))
            .count()
    }

    /// How many are held by anybody.
    fn locked(&self) -> usize {
        // SAFETY: Initialised.
        let is_locked = |&n: &usize| unsafe { ffi::mmn_rwsem_is_locked(self.lock(n).as_ptr()) };
        (0..LOCKS).filter(is_locked).count()
    }

    /// Whether somebody waits for the lock `n`.
    #[cfg(not(CONFIG_PREEMPT_RT))]
    fn is_waited_for(&self, n: usize) -> bool {
        const WAITERS: usize = 1 << 1;
        let count = &raw const self.0[n].count.counter;
        // SAFETY: Initialised, and only written atomically.
        let count = unsafe { ffi::read_once(count) } as usize;
        count & WAITERS != 0
    }
}

#[kernel::macros::kunit_tests(mmu_notifier_mm_lock)]
mod cases {
    use super::*;

    #[test]
    fn lists_grow_and_leave_repeats_in_a_row_out() -> Result {
        let rwsems = Rwsems::new()?;
        let mut list = list_for(1);
        assert!(list.is_some());
        for n in [0, 0, 1, 0, 1, 1, 2, 0, 3, 3, 2, 0] {
            add(&mut list, rwsems.lock(n));
        }
        let want = rwsems.list(&[0, 1, 2, 0, 3, 2, 0])?;
        assert!(list.is_some_and(|list| list[..] == want[..]));
        // Where memory was too short there is no list any more.
        let mut none = None;
        add(&mut none, rwsems.lock(0));
        assert!(none.is_none());
        Ok(())
    }

    #[test]
    fn a_list_that_cannot_be_is_none() {
        assert!(list_for(usize::MAX / size_of::<Lock>()).is_none());
        assert!(list_for(usize::MAX).is_none());
    }

    #[test]
    fn sorts_by_class_and_address() -> Result {
        let rwsems = Rwsems::new()?;
        let mut list = rwsems.list(&[7, 2, 3, 0, 7, 1, 6, 2, 5])?;
        list.push(rwsems.named(Class::HugetlbMapping, 4), GFP_KERNEL)?;
        sort(&mut list);
        let mut want = KVVec::with_capacity(10, GFP_KERNEL)?;
        want.push(rwsems.named(Class::HugetlbMapping, 4), GFP_KERNEL)?;
        for &lock in rwsems.list(&[0, 2, 2, 6, 1, 3, 5, 7, 7])?.iter() {
            want.push(lock, GFP_KERNEL)?;
        }
        assert!(list[..] == want[..]);
        sort(&mut []);
        Ok(())
    }

    #[test]
    fn takes_each_once_and_releases_it() -> Result {
        let (space, rwsems) = (Space::new()?, Rwsems::new()?);
        let mut list = rwsems.list(&[5, 0, 3, 0, 5, 2, 1, 3])?;
        let (result, held) = with_write_lock(space.mm(), |mm| {
            let task = current!();
            let result = take_listed(&mut list, mm, task);
            let held = rwsems.held();
            // SAFETY: Taken above.
            unsafe { release_listed(&list, task.as_ptr()) };
            (result, held)
        });
        assert!(result.is_ok());
        assert_eq!(held, 5);
        assert_eq!(rwsems.locked(), 0);
        Ok(())
    }

    #[test]
    fn a_plan_of_no_locks() -> Result {
        let space = Space::new()?;
        with_write_lock(space.mm(), |mm| -> Result {
            let mut searched = Plan::Searched;
            for plan in [&mut Plan::of(mm)?, &mut searched] {
                plan.take(mm)?;
                // SAFETY: Taken above.
                unsafe { plan.release(mm) };
            }
            visit_searched(mm, &mut |_| Err(EINTR))
        })
    }

    #[test]
    fn a_list_that_meets_a_busy_lock_is_let_go() -> Result {
        let rwsems = Rwsems::new()?;
        let list = rwsems.list(&[0, 1, 0, 2, 3])?;
        let busy = rwsems.lock(2);
        // SAFETY: Initialised.
        let taken = unsafe { busy.try_take() };
        let (mut found, mut held) = (None, 0);
        let thread = Thread::start(|| {
            found = try_listed(&list, current!().as_ptr());
            held = rwsems.held();
        })?;
        drop(thread);
        assert!(taken);
        assert!(found == Some(busy));
        assert_eq!(held, 0);
        assert_eq!(rwsems.held(), 1);
        assert_eq!(rwsems.locked(), 1);
        // SAFETY: Taken above.
        unsafe { busy.release(current!().as_ptr()) };
        // And all can be had.
        assert!(try_listed(&list, current!().as_ptr()).is_none());
        assert_eq!(rwsems.held(), 4);
        // SAFETY: Taken above.
        unsafe { release_listed(&list, current!().as_ptr()) };
        assert_eq!(rwsems.locked(), 0);
        Ok(())
    }

    #[cfg(not(CONFIG_PREEMPT_RT))]
    #[test]
    fn waits_for_a_busy_lock_with_none_held_or_in_order() -> Result {
        let (space, rwsems) = (Space::new()?, Rwsems::new()?);
        // By address and class: 2, 4, 6, 3.
        let mut list = rwsems.list(&[6, 3, 2, 4])?;
        let busy = rwsems.lock(4);
        // SAFETY: Initialised.
        let taken = unsafe { busy.try_take() };
        let mut held = 0;
        let thread = Thread::start(|| {
            with_write_lock(space.mm(), |mm| {
                let task = current!();
                let result = take_listed(&mut list, mm, task);
                held = if result.is_ok() { rwsems.held() } else { 0 };
                // SAFETY: Taken above.
                unsafe { release_listed(&list, task.as_ptr()) };
            })
        })?;
        let waits = crate::fixture::wait_until(|| rwsems.is_waited_for(4));
        // The busy one, and what comes before it for who waits in order from the first.
        let locked = rwsems.locked();
        // SAFETY: Taken above.
        unsafe { busy.release(current!().as_ptr()) };
        drop(thread);
        assert!(taken && waits);
        assert_eq!(locked, if ATTEMPTS == 0 { 2 } else { 1 });
        assert_eq!(held, 4);
        assert_eq!(rwsems.locked(), 0);
        Ok(())
    }
}
