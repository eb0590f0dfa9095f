// SPDX-License-Identifier: GPL-2.0

//! The state of one `mm`, from its making to its end.

use core::ptr::null_mut;
use kernel::prelude::*;

use super::*;
use crate::{
    fixture::{
        warnings_in,
        Space, //
    },
    mm::with_write_lock, //
};

/// Subscriptions of three tables, of which the last two have one in common.
struct Three([bindings::mmu_notifier; 3]);

// SAFETY: Plain data.
static OPS: [bindings::mmu_notifier_ops; 2] = unsafe { core::mem::zeroed() };

impl Three {
    fn new() -> Result<KBox<Self>> {
        // SAFETY: Plain data.
        let mut three = KBox::new(Self(unsafe { core::mem::zeroed() }), GFP_KERNEL)?;
        three.0[0].ops = &OPS[0];
        three.0[1].ops = &OPS[1];
        three.0[2].ops = &OPS[1];
        Ok(three)
    }

    fn at(&mut self, n: usize) -> NonNull<bindings::mmu_notifier> {
        NonNull::from(&mut self.0[n])
    }
}

fn numbers(state: &Subscriptions, three: &mut Three) -> [Option<usize>; 4] {
    let mut found = [None; 4];
    let mut places = found.iter_mut();
    let iter = Iter {
        link: state.first(),
        _list: PhantomData,
    };
    for subscription in iter {
        let n = (0..3).find(|&n| three.at(n) == subscription.0);
        if let Some(place) = places.next() {
            *place = n;
        }
    }
    found
}

/// Gives `space` a state; frees nothing.
fn publish(space: &Space) -> Result {
    let new = Subscriptions::new()?;
    with_write_lock(space.mm(), |mm| -> Result {
        let locks = MmAllLocks::take(mm)?;
        Subscriptions::publish(new, &locks);
        Ok(())
    })
}

#[kernel::macros::kunit_tests(mmu_notifier_subscriptions)]
mod cases {
    use super::*;

    #[test]
    fn a_new_state_is_quiet() -> Result {
        let state = Subscriptions::new()?;
        assert!(!state.has_itree());
        assert!(state.list_is_empty());
        let mut locked = state.lock();
        assert!(locked.seq() == Seq::FIRST);
        assert_eq!(*locked.active_ranges(), 0);
        // SAFETY: Under its lock.
        let empty = unsafe {
            (*locked.deferred()).first.is_null() && (*locked.itree()).rb_root.rb_node.is_null()
        };
        drop(locked);
        assert!(empty);
        // SAFETY: Initialised.
        assert!(!unsafe { crate::wait::has_sleeper(state.wait_queue()) });
        Ok(())
    }

    #[test]
    fn links_in_front_and_finds_the_latest() -> Result {
        let (state, mut three) = (Subscriptions::new()?, Three::new()?);
        assert!(state.lock().find(&OPS[0]).is_none());
        for n in 0..3 {
            let subscription = three.at(n);
            // SAFETY: It is in its box until it has been unlinked.
            unsafe { state.lock().link_alone(subscription) };
        }
        assert!(numbers(&state, &mut three) == [Some(2), Some(1), Some(0), None]);
        let (first, middle, latest) = (three.at(0), three.at(1), three.at(2));
        assert!(state.lock().find(&OPS[0]) == Some(first));
        assert!(state.lock().find(&OPS[1]) == Some(latest));
        assert!(state.lock().find(null_mut()).is_none());
        // Twice is as good as once.
        for _ in 0..2 {
            // SAFETY: On this list, or on none.
            unsafe { state.lock().unlink(latest) };
            assert!(numbers(&state, &mut three) == [Some(1), Some(0), None, None]);
        }
        assert!(state.lock().find(&OPS[1]) == Some(middle));
        // SAFETY: On no list, and in its box.
        unsafe { state.lock().link_alone(latest) };
        assert!(numbers(&state, &mut three) == [Some(2), Some(1), Some(0), None]);
        state.lock().unlink_all();
        assert!(state.list_is_empty());
        assert!(numbers(&state, &mut three) == [None; 4]);
        Ok(())
    }

    #[test]
    fn dies_with_its_mm_and_leaves_poison() -> Result {
        let space = Space::new()?;
        publish(&space)?;
        assert!(Subscriptions::of(space.mm()).is_some());
        // SAFETY: Nobody else has access to it, and the pointer is put right below.
        unsafe { Subscriptions::destroy(space.raw()) };
        // SAFETY: Valid.
        let left = unsafe { slot(space.mm()).replace(null_mut()) };
        // SAFETY: No preconditions.
        assert!(left.cast() == unsafe { ffi::mmn_list_poison1() });
        Ok(())
    }

    #[test]
    fn does_not_die_under_a_subscription() -> Result {
        let (space, mut three) = (Space::new()?, Three::new()?);
        publish(&space)?;
        let state: *const Subscriptions = space.subscriptions();
        let subscription = three.at(0);
        // SAFETY: It is in its box until it has been unlinked.
        unsafe { space.subscriptions().lock().link_alone(subscription) };
        // SAFETY: As in the test above.
        let ((), warnings) = warnings_in(|| unsafe { Subscriptions::destroy(space.raw()) });
        // SAFETY: Valid.
        unsafe { *slot(space.mm()) = null_mut() };
        assert_eq!(warnings, 1);
        // SAFETY: It has been left alone, and is nobody's any more.
        let state = unsafe { KBox::from_raw(state.cast_mut()) };
        assert!(numbers(&state, &mut three) == [Some(0), None, None, None]);
        state.lock().unlink_all();
        Ok(())
    }
}
