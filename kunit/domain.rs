// SPDX-License-Identifier: GPL-2.0

//! Who waits for whom, with slots left and without.

use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::rcu, //
};

use super::*;
use crate::{
    fixture::{
        pause,
        wait_until,
        Space,
        Thread, //
    },
    monitor,
    registration, //
    waiting,      //
};

fn domain(space: &Space) -> Domain {
    Domain::of(space.raw())
}

/// Whether somebody waits for readers of `domain`, and has looked for a while.
fn somebody_waits(domain: Domain) -> bool {
    let found = Cell::new(false);
    waiting::for_each(domain.0, &rcu::read_lock(), |_| found.set(true));
    found.get()
}

/// The sum of the numbers of the slots that readers of `domain` are in.
fn numbers(domain: Domain) -> usize {
    let mut sum = 0;
    slots::for_each(|number, slot| {
        if slot.occupant().is_some_and(|reader| reader.key == domain.0) {
            sum += number;
        }
    });
    sum
}

fn synchronize(domain: Domain) {
    let _ = domain.synchronize();
}

/// Whether a reader of `domain` is said to be in a callback.
fn is_blamed(domain: Domain) -> bool {
    let mut blamed = false;
    slots::for_each(|_, slot| {
        if slot.occupant().is_some_and(|reader| reader.key == domain.0) {
            blamed |= !slot.reader().1.is_null();
        }
    });
    blamed
}

#[kernel::macros::kunit_tests(mmu_notifier_domain)]
mod cases {
    use super::*;

    #[test]
    fn nobody_is_blamed_for_what_another_has_called() -> Result {
        let space = Space::new()?;
        let domain = domain(&space);
        let mut readers = [const { None }; 10];
        let mut caller_is_blamed = true;
        // Of first slots and others, and more than once, as this may run on another processor.
        for _ in 0..20 {
            readers.fill_with(|| Some(domain.read()));
            for reader in readers.iter().flatten() {
                reader.note(synchronize as *const c_void);
            }
            caller_is_blamed &= is_blamed(domain);
            readers.fill_with(|| None);
            readers.fill_with(|| Some(domain.read()));
            let anew = is_blamed(domain);
            readers.fill_with(|| None);
            assert!(!anew);
        }
        assert!(caller_is_blamed);
        Ok(())
    }

    #[test]
    fn a_reader_of_another_address_space_is_not_waited_for() -> Result {
        let (space, other) = (Space::new()?, Space::new()?);
        let section = domain(&other).read();
        assert!(!section.slot.is_nowhere());
        assert!(section.global.is_none());
        // In another thread: lockdep takes all domains for one, see `assert_may_wait()`.
        let thread = Thread::start(|| synchronize(domain(&space)))?;
        let ends = wait_until(|| thread.is_done());
        drop(section);
        drop(thread);
        assert!(ends);
        synchronize(domain(&other));
        Ok(())
    }

    #[test]
    fn a_reader_is_waited_for_and_the_next_in_its_slot_is_not() -> Result {
        let space = Space::new()?;
        let domain = domain(&space);
        let first = domain.read();
        let slot = numbers(domain);
        let thread = Thread::start(|| synchronize(domain))?;
        let waits = wait_until(|| somebody_waits(domain));
        let waits = waits && !thread.is_done();
        drop(first);
        let next = domain.read();
        // On another processor it may be in a slot that is still to be looked at.
        let ends = numbers(domain) != slot || wait_until(|| thread.is_done());
        drop(next);
        drop(thread);
        assert!(waits);
        assert!(ends);
        assert!(!somebody_waits(domain));
        Ok(())
    }

    #[test]
    fn each_of_several_readers_is_waited_for() -> Result {
        let space = Space::new()?;
        let domain = domain(&space);
        // More than a processor has slots for.
        let mut readers = [const { None }; 12];
        readers.fill_with(|| Some(domain.read()));
        let thread = Thread::start(|| synchronize(domain))?;
        let mut waits = true;
        // In the order in which they are looked for.
        for reader in &mut readers {
            waits &= wait_until(|| somebody_waits(domain)) && !thread.is_done();
            *reader = None;
        }
        drop(thread);
        assert!(waits);
        Ok(())
    }

    #[test]
    fn readers_without_a_slot_are_waited_for() -> Result {
        let (space, other) = (Space::new()?, Space::new()?);
        let claims = slots::tests::fill(slots::tests::key())?;
        assert!(!is_crowded());
        let sections = [domain(&space).read(), domain(&space).read()];
        let nowhere = sections
            .iter()
            .all(|section| section.slot.is_nowhere() && section.global.is_some());
        let crowded = is_crowded();
        let thread = Thread::start(|| synchronize(domain(&space)))?;
        // Nobody knows whose list they read.
        let bystander = Thread::start(|| synchronize(domain(&other)))?;
        pause(5);
        let waits = !thread.is_done() && !bystander.is_done();
        let [first, last] = sections;
        drop(first);
        pause(5);
        let waits_for_the_last = !thread.is_done() && is_crowded();
        drop(last);
        drop((thread, bystander));
        let left = !is_crowded();
        drop(claims);
        assert!(nowhere && crowded);
        assert!(waits && waits_for_the_last);
        assert!(left);
        Ok(())
    }

    #[test]
    fn nothing_is_freed_beside_readers_without_a_slot() -> Result {
        let space = Space::new()?;
        let before = registration::tests::there();
        let notifier = registration::tests::get_one(&space, &registration::tests::OPS)?;
        let claims = slots::tests::fill(slots::tests::key())?;
        let section = domain(&space).read();
        // SAFETY: Gives up the hold from above.
        unsafe { registration::put(notifier) };
        let thread = Thread::start(monitor::barrier)?;
        pause(5);
        let kept = registration::tests::there() == before + 1 && !thread.is_done();
        drop(section);
        drop(thread);
        let freed = registration::tests::there() == before;
        drop(claims);
        assert!(kept);
        assert!(freed);
        Ok(())
    }

    #[test]
    fn compatible_readers_and_waiters_share_the_kernels_domain() -> Result {
        let space = Space::new()?;
        let domain = domain(&space);
        mode::mmn_go_compatible();
        let section = domain.read();
        let both = !section.slot.is_nowhere() && section.global.is_some();
        // As C waits.
        let waiter = Thread::start(|| srcu::Global::get().synchronize())?;
        pause(5);
        let waits = !waiter.is_done();
        drop(section);
        drop(waiter);
        // As C reads.
        let index = srcu::Global::get().enter();
        let waiter = Thread::start(|| synchronize(domain))?;
        pause(5);
        let waits_for_c = !waiter.is_done();
        // SAFETY: Entered above.
        unsafe { srcu::Global::get().leave(index) };
        drop(waiter);
        mode::mmn_go_native();
        assert!(both);
        assert!(waits);
        assert!(waits_for_c);
        Ok(())
    }
}
