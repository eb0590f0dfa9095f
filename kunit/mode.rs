// SPDX-License-Identifier: GPL-2.0

//! Changes of mode, and what keeps them, or C, waiting.

use super::*;
use crate::{
    domain::Domain,
    fixture::{
        pause,
        wait_until,
        Space,
        Thread, //
    },
    mm::{
        self,
        with_write_lock, //
    },
    mm_lock::MmAllLocks,
    monitor,
    observe,
    registration,
    srcu::Global, //
};

fn go_compatible() {
    mmn_go_compatible();
}

fn go_native() {
    mmn_go_native();
}

/// Runs `f` in compatible mode.
fn compatible<R>(f: impl FnOnce() -> R) -> R {
    mmn_go_compatible();
    let result = f();
    mmn_go_native();
    result
}

#[kernel::macros::kunit_tests(mmu_notifier_mode)]
mod cases {
    use super::*;

    #[test]
    fn when_the_last_observer_has_gone_nothing_is_left_to_heed() -> Result {
        let space = Space::new()?;
        // Another reader may have the slot for a moment.
        let plain = || wait_until(|| Domain::of(space.raw()).read_plain().is_some());
        let look = || (observers(), is_plain(), observe::is_on());
        let before = (look(), plain());
        // SAFETY: Each is ended below.
        let (one, two) = unsafe {
            ffi::mmn_observe_begin();
            let one = look();
            ffi::mmn_observe_begin();
            (one, look())
        };
        let read = Domain::of(space.raw()).read_plain().is_some();
        // SAFETY: Begun above.
        let (one_left, none_left) = unsafe {
            ffi::mmn_observe_end();
            let one_left = look();
            ffi::mmn_observe_end();
            (one_left, look())
        };
        assert!(before == ((0, true, false), true));
        assert!(one == (1, false, true) && two == (2, false, true));
        assert!(!read);
        assert!(one_left == one && none_left == before.0);
        assert!(plain());
        Ok(())
    }

    #[test]
    fn is_native_from_the_first_and_can_change() {
        assert!(is_native());
        assert!(mmn_mode_is_native());
        assert!(Gate::enter().is_native());
        let (now, shown, inside) =
            compatible(|| (is_native(), mmn_mode_is_native(), Gate::enter().is_native()));
        assert!(!now && !shown && !inside);
        assert!(is_native());
        assert!(Gate::enter().is_native());
    }

    #[test]
    fn a_registration_keeps_its_mode() -> Result {
        let gate = Gate::enter();
        let thread = Thread::start(go_compatible)?;
        pause(5);
        let waits = !thread.is_done() && is_native();
        drop(gate);
        drop(thread);
        let changed = !is_native();
        let gate = Gate::enter();
        let thread = Thread::start(go_native)?;
        pause(5);
        let waits_back = !thread.is_done() && !is_native();
        drop(gate);
        drop(thread);
        assert!(waits && changed && waits_back);
        assert!(is_native());
        Ok(())
    }

    #[test]
    fn the_locks_of_an_mm_hold_the_gate_in_either_mode() -> Result {
        let space = Space::new()?;
        let holds = || {
            with_write_lock(space.mm(), |mm| -> Result<bool> {
                let native = is_native();
                let locks = MmAllLocks::take(mm)?;
                let thread = Thread::start(move || {
                    if native {
                        mmn_go_compatible()
                    } else {
                        mmn_go_native()
                    }
                })?;
                pause(5);
                let waits = !thread.is_done() && is_native() == native;
                drop(locks);
                drop(thread);
                Ok(waits && is_native() != native)
            })
        };
        let to_compatible = holds();
        let to_native = holds();
        assert!(is_native());
        assert!(to_compatible?);
        assert!(to_native?);
        Ok(())
    }

    #[test]
    fn c_waits_for_readers_that_began_in_native_mode() -> Result {
        let space = Space::new()?;
        let section = Domain::of(space.raw()).read();
        mmn_go_compatible();
        let thread = Thread::start(|| Global::get().synchronize())?;
        // Two whole passes have seen that the reader is there.
        monitor::barrier();
        monitor::barrier();
        pause(5);
        let waits = !thread.is_done();
        drop(section);
        let ends = wait_until(|| thread.is_done());
        drop(thread);
        mmn_go_native();
        assert!(waits);
        assert!(ends);
        Ok(())
    }

    #[test]
    fn c_waits_for_what_was_put_in_native_mode() -> Result {
        let space = Space::new()?;
        let (pins, before) = (mm::count(space.mm()), registration::tests::there());
        let notifier = registration::tests::get_one(&space, &registration::tests::OPS)?;
        // SAFETY: Gives up the hold from above.
        unsafe { registration::put(notifier) };
        let left = compatible(|| {
            Global::get().synchronize();
            registration::tests::there()
        });
        assert_eq!(left, before);
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn every_stand_in_is_left() -> Result {
        // Some come while an earlier one is there, or is still to be taken.
        for _ in 0..5 {
            compatible(|| {});
        }
        mmn_go_compatible();
        mmn_go_compatible();
        mmn_go_native();
        // Else this would never end.
        Global::get().synchronize();
        Ok(())
    }
}
