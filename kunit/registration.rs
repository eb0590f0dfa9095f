// SPDX-License-Identifier: GPL-2.0

//! Counting users, and what a registration does where no VM is needed to see it.

// Callbacks of drivers: as the core calls them.
#![allow(clippy::missing_safety_doc)]

use core::{
    cell::UnsafeCell,
    ptr::null_mut, //
};
use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KBox, //
    },
    ffi::{
        c_int,
        c_uint, //
    },
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

use super::*;
use crate::{
    fixture::{
        warnings_in,
        Space, //
    },
    mm::with_write_lock, //
};

/// How many subscriptions there are that `alloc` has made and `free` has not had.
static THERE: Atomic<c_int> = Atomic::<c_int>::new(0);
static RELEASED: Atomic<c_int> = Atomic::<c_int>::new(0);

unsafe extern "C" fn alloc(_mm: *mut bindings::mm_struct) -> *mut Notifier {
    // SAFETY: Plain data.
    let Ok(notifier) = KBox::new(unsafe { core::mem::zeroed::<Notifier>() }, GFP_KERNEL) else {
        return null_mut();
    };
    THERE.fetch_add(1, Relaxed);
    KBox::into_raw(notifier)
}

unsafe extern "C" fn free(notifier: *mut Notifier) {
    // SAFETY: `alloc` has made it.
    drop(unsafe { KBox::from_raw(notifier) });
    THERE.fetch_sub(1, Relaxed);
}

unsafe extern "C" fn released(_notifier: *mut Notifier, _mm: *mut bindings::mm_struct) {
    RELEASED.fetch_add(1, Relaxed);
}

unsafe extern "C" fn no_memory(_mm: *mut bindings::mm_struct) -> *mut Notifier {
    null_mut()
}

unsafe extern "C" fn not_now(_mm: *mut bindings::mm_struct) -> *mut Notifier {
    EAGAIN.to_errno() as isize as *mut Notifier
}

const COUNTED: Ops = Ops {
    release: None,
    clear_flush_young: None,
    clear_young: None,
    test_young: None,
    invalidate_range_start: None,
    invalidate_range_end: None,
    arch_invalidate_secondary_tlbs: None,
    alloc_notifier: Some(alloc),
    free_notifier: Some(free),
};

pub(crate) static OPS: Ops = COUNTED;
pub(crate) static OTHER_OPS: Ops = Ops {
    // What tells it from the first, for who merges equal statics.
    release: Some(released),
    ..COUNTED
};
static NO_MEMORY: Ops = Ops {
    alloc_notifier: Some(no_memory),
    ..COUNTED
};
static NOT_NOW: Ops = Ops {
    alloc_notifier: Some(not_now),
    ..COUNTED
};

pub(crate) fn there() -> c_int {
    THERE.load(Relaxed)
}

pub(crate) fn get_one(space: &Space, ops: &'static Ops) -> Result<NonNull<Notifier>> {
    // SAFETY: Both callbacks are there, or it fails before the second is called.
    with_write_lock(space.mm(), |mm| unsafe { get(ops, mm) })
}

fn users(space: &Space, notifier: NonNull<Notifier>) -> c_uint {
    let _locked = space.subscriptions().lock();
    // SAFETY: Held by the test.
    unsafe { (*notifier.as_ptr()).users }
}

fn set_users(space: &Space, notifier: NonNull<Notifier>, users: c_uint) {
    let _locked = space.subscriptions().lock();
    // SAFETY: As above.
    unsafe { (*notifier.as_ptr()).users = users };
}

/// A subscription that is not counted.
fn zeroed() -> Result<KBox<UnsafeCell<Notifier>>> {
    // SAFETY: Plain data.
    let mut notifier: Notifier = unsafe { core::mem::zeroed() };
    notifier.ops = &OTHER_OPS;
    Ok(KBox::new(UnsafeCell::new(notifier), GFP_KERNEL)?)
}

fn pointer(notifier: &UnsafeCell<Notifier>) -> NonNull<Notifier> {
    // SAFETY: Not null.
    unsafe { NonNull::new_unchecked(notifier.get()) }
}

/// Gets, counts and frees in the mode that is set.
fn counts(space: &Space) -> Result<bool> {
    let (pins, before) = (mm::count(space.mm()), there());
    let first = get_one(space, &OPS)?;
    let mut good = there() == before + 1 && users(space, first) == 1;
    good &= mm::count(space.mm()) == pins + 1;
    good &= get_one(space, &OPS)? == first && users(space, first) == 2;
    let other = get_one(space, &OTHER_OPS)?;
    good &= other != first && users(space, other) == 1 && there() == before + 2;
    // SAFETY: Each gives up a hold from above.
    unsafe {
        put(first);
        good &= users(space, first) == 1;
        put(first);
        put(other);
    }
    good &= space.subscriptions().list_is_empty();
    synchronize();
    Ok(good && there() == before && mm::count(space.mm()) == pins)
}

#[kernel::macros::kunit_tests(mmu_notifier_registration)]
mod cases {
    use super::*;

    #[test]
    fn gets_are_counted_and_the_last_put_frees() -> Result {
        assert!(counts(&Space::new()?)?);
        assert!(counts(&Space::with_itree()?)?);
        Ok(())
    }

    #[test]
    fn gets_are_counted_in_compatible_mode() -> Result {
        let space = Space::new()?;
        mode::mmn_go_compatible();
        let good = counts(&space);
        mode::mmn_go_native();
        assert!(good?);
        Ok(())
    }

    #[test]
    fn put_before_a_change_of_mode_frees_after_it() -> Result {
        let space = Space::new()?;
        let before = there();
        let (first, other) = (get_one(&space, &OPS)?, get_one(&space, &OTHER_OPS)?);
        // SAFETY: Each gives up a hold from above.
        unsafe {
            put(first);
            mode::mmn_go_compatible();
            put(other);
            mode::mmn_go_native();
        }
        synchronize();
        assert_eq!(there(), before);
        Ok(())
    }

    #[test]
    fn the_count_of_users_has_an_end() -> Result {
        let space = Space::new()?;
        let before = there();
        let notifier = get_one(&space, &OPS)?;
        set_users(&space, notifier, c_uint::MAX - 1);
        assert!(get_one(&space, &OPS)? == notifier);
        assert_eq!(users(&space, notifier), c_uint::MAX);
        for _ in 0..2 {
            assert!(get_one(&space, &OPS) == Err(EOVERFLOW));
            assert_eq!(users(&space, notifier), c_uint::MAX);
        }
        // SAFETY: Gives up one of the many.
        unsafe { put(notifier) };
        assert_eq!(users(&space, notifier), c_uint::MAX - 1);
        assert_eq!(there(), before + 1);
        set_users(&space, notifier, 1);
        // SAFETY: Gives up the last.
        unsafe { put(notifier) };
        synchronize();
        assert_eq!(there(), before);
        Ok(())
    }

    #[test]
    fn a_put_too_many_is_warned_about() -> Result {
        let space = Space::new()?;
        let notifier = get_one(&space, &OPS)?;
        set_users(&space, notifier, 0);
        // SAFETY: It is still linked, by what the test has done.
        let ((), warnings) = warnings_in(|| unsafe { put(notifier) });
        assert_eq!(warnings, 1);
        assert_eq!(users(&space, notifier), 0);
        assert!(!space.subscriptions().list_is_empty());
        set_users(&space, notifier, 1);
        // SAFETY: Gives up the last.
        unsafe { put(notifier) };
        synchronize();
        Ok(())
    }

    #[test]
    fn a_get_without_memory_changes_nothing() -> Result {
        let space = Space::new()?;
        let (pins, before) = (mm::count(space.mm()), there());
        assert!(get_one(&space, &NO_MEMORY) == Err(ENOMEM));
        assert!(get_one(&space, &NOT_NOW) == Err(EAGAIN));
        assert!(Subscriptions::of(space.mm()).is_none());
        assert_eq!(there(), before);
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn registration_wants_users() -> Result {
        let space = Space::new()?;
        let (pins, before) = (mm::count(space.mm()), there());
        let (result, warnings) = space.without_users(|| warnings_in(|| get_one(&space, &OPS)));
        assert!(result == Err(EINVAL));
        assert_eq!(warnings, 1);
        // What was allocated has been given back at once.
        assert_eq!(there(), before);
        assert!(Subscriptions::of(space.mm()).is_none());
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn the_state_is_made_once_and_its_interval_side_later() -> Result {
        let space = Space::new()?;
        assert!(Subscriptions::of(space.mm()).is_none());
        let notifier = get_one(&space, &OPS)?;
        let state: *const Subscriptions = space.subscriptions();
        assert!(!space.subscriptions().has_itree());
        let register = || {
            // SAFETY: There is no subscription.
            with_write_lock(space.mm(), |mm| unsafe { register(What::Itree, mm) })
        };
        let got = with_itree(space.mm(), register)?;
        assert!(core::ptr::eq(got, state));
        assert!(got.has_itree());
        // It is there, so it is not asked for again.
        assert!(with_itree(space.mm(), || Err(ENOMEM)).is_ok());
        // SAFETY: Gives up the hold from above.
        unsafe { put(notifier) };
        synchronize();
        Ok(())
    }

    #[test]
    fn attaches_without_locks_only_while_idle() -> Result {
        let (plain, counted) = (Space::new()?, Space::with_itree()?);
        let first = get_one(&plain, &OPS)?;
        let notifier = zeroed()?;
        let attach = |space: &Space| {
            with_write_lock(space.mm(), |mm| {
                // SAFETY: It is in its box until it has been unregistered.
                unsafe { attach_while_idle(pointer(&notifier), space.subscriptions(), mm) }
            })
        };
        let pins = mm::count(counted.mm());
        // Where ranges are not counted it cannot be seen.
        assert!(!attach(&plain));
        *counted.subscriptions().lock().active_ranges() = 1;
        assert!(!attach(&counted));
        *counted.subscriptions().lock().active_ranges() = 0;
        // C leaves the count before it has walked the list.
        mode::mmn_go_compatible();
        let attached = attach(&counted);
        mode::mmn_go_native();
        assert!(!attached);
        assert_eq!(mm::count(counted.mm()), pins);
        assert!(counted.subscriptions().list_is_empty());

        assert!(attach(&counted));
        assert_eq!(users(&counted, pointer(&notifier)), 1);
        assert_eq!(mm::count(counted.mm()), pins + 1);
        let before = RELEASED.load(Relaxed);
        // SAFETY: Registered above; and gives up the hold on the other.
        unsafe {
            unregister(pointer(&notifier), NonNull::new_unchecked(counted.raw()));
            put(first);
        }
        assert_eq!(RELEASED.load(Relaxed), before + 1);
        assert_eq!(mm::count(counted.mm()), pins);
        synchronize();
        Ok(())
    }

    #[test]
    fn release_comes_once_by_unregister_or_by_exit() -> Result {
        let space = Space::new()?;
        let (first, last) = (zeroed()?, zeroed()?);
        for notifier in [&first, &last] {
            // SAFETY: It is in its box until it has been unregistered.
            with_write_lock(space.mm(), |mm| unsafe {
                register(What::Whole(pointer(notifier)), mm)
            })?;
        }
        let before = RELEASED.load(Relaxed);
        // SAFETY: The test's own space.
        let raw = unsafe { NonNull::new_unchecked(space.raw()) };
        // SAFETY: Registered above.
        unsafe { unregister(pointer(&first), raw) };
        assert_eq!(RELEASED.load(Relaxed), before + 1);
        hlist::release(space.subscriptions(), space.mm());
        assert_eq!(RELEASED.load(Relaxed), before + 2);
        // SAFETY: Registered above.
        unsafe { unregister(pointer(&last), raw) };
        assert_eq!(RELEASED.load(Relaxed), before + 2);
        Ok(())
    }
}
