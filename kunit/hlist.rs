// SPDX-License-Identifier: GPL-2.0

//! The list side: who is called, in which order, with which answer.

// Callbacks of drivers: as the core calls them.
#![allow(clippy::missing_safety_doc)]

use core::{
    cell::{
        Cell,
        UnsafeCell, //
    },
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::alloc::{
    flags::GFP_KERNEL,
    KBox, //
};

use super::*;
use crate::{
    fixture::{
        warnings_in,
        Notes,
        Space, //
    },
    mm::with_write_lock,
    registration::{
        self,
        What, //
    }, //
};

/// Added to a subscription's number by an end, and by a release.
const END: u32 = 100;
const RELEASE: u32 = 200;

/// A driver with one subscription, which notes its number when it is called.
#[repr(C)]
struct Driver<'a> {
    notifier: UnsafeCell<bindings::mmu_notifier>,
    number: u32,
    notes: &'a Notes,
    /// What it answers.
    young: Cell<bool>,
    start: Cell<c_int>,
    /// Whom it unlinks when it is called.
    victim: Cell<*mut bindings::mmu_notifier>,
}

unsafe fn driver<'a>(notifier: *mut bindings::mmu_notifier) -> &'a Driver<'a> {
    // SAFETY: The subscription of each table below is a driver's first field.
    unsafe { &*notifier.cast::<Driver<'a>>() }
}

unsafe extern "C" fn young(
    notifier: *mut bindings::mmu_notifier,
    _mm: *mut bindings::mm_struct,
    _start: c_ulong,
    _end: c_ulong,
) -> bool {
    // SAFETY: Called for a driver of this file.
    let driver = unsafe { driver(notifier) };
    driver.notes.add(driver.number);
    driver.young.get()
}

unsafe extern "C" fn test_one(
    notifier: *mut bindings::mmu_notifier,
    mm: *mut bindings::mm_struct,
    address: c_ulong,
) -> bool {
    // SAFETY: As this is called.
    unsafe { young(notifier, mm, address, address) }
}

unsafe extern "C" fn start(
    notifier: *mut bindings::mmu_notifier,
    _range: *const bindings::mmu_notifier_range,
) -> c_int {
    // SAFETY: Called for a driver of this file.
    let driver = unsafe { driver(notifier) };
    driver.notes.add(driver.number);
    if let Some(victim) = NonNull::new(driver.victim.get()) {
        // SAFETY: On the list of this very address space.
        unsafe {
            Subscriptions::of_subscribed((*notifier).mm)
                .lock()
                .unlink(victim);
        }
    }
    driver.start.get()
}

unsafe extern "C" fn end(
    notifier: *mut bindings::mmu_notifier,
    _range: *const bindings::mmu_notifier_range,
) {
    // SAFETY: Called for a driver of this file.
    let driver = unsafe { driver(notifier) };
    driver.notes.add(END + driver.number);
}

unsafe extern "C" fn released(
    notifier: *mut bindings::mmu_notifier,
    _mm: *mut bindings::mm_struct,
) {
    // SAFETY: Called for a driver of this file.
    let driver = unsafe { driver(notifier) };
    driver.notes.add(RELEASE + driver.number);
}

unsafe extern "C" fn flush(
    notifier: *mut bindings::mmu_notifier,
    mm: *mut bindings::mm_struct,
    start: c_ulong,
    end: c_ulong,
) {
    // SAFETY: As this is called.
    unsafe { young(notifier, mm, start, end) };
}

const NOTHING: bindings::mmu_notifier_ops = pin_init::zeroed();

static FULL: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    release: Some(released),
    clear_flush_young: Some(young),
    clear_young: Some(young),
    test_young: Some(test_one),
    invalidate_range_start: Some(start),
    invalidate_range_end: Some(end),
    ..NOTHING
};

static STARTS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    invalidate_range_start: Some(start),
    ..NOTHING
};

static ENDS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    invalidate_range_end: Some(end),
    ..NOTHING
};

static FLUSHES: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    arch_invalidate_secondary_tlbs: Some(flush),
    ..NOTHING
};

impl<'a> Driver<'a> {
    /// A driver whose subscription has just been registered.
    fn registered(
        number: u32,
        notes: &'a Notes,
        space: &Space,
        ops: &'static bindings::mmu_notifier_ops,
    ) -> Result<KBox<Self>> {
        let driver = Self {
            // SAFETY: Plain data.
            notifier: UnsafeCell::new(unsafe { core::mem::zeroed() }),
            number,
            notes,
            young: Cell::new(false),
            start: Cell::new(0),
            victim: Cell::new(null_mut()),
        };
        let driver = KBox::new(driver, GFP_KERNEL)?;
        // SAFETY: It is in its box until it has been unregistered.
        unsafe {
            (*driver.notifier.get()).ops = ops;
            with_write_lock(space.mm(), |mm| {
                registration::register(What::Whole(driver.notifier()), mm)
            })?;
        }
        Ok(driver)
    }

    fn notifier(&self) -> NonNull<bindings::mmu_notifier> {
        // SAFETY: The address of a field.
        unsafe { NonNull::new_unchecked(self.notifier.get()) }
    }

    fn unregister(&self, space: &Space) {
        // SAFETY: Registered, as tests unregister nothing else.
        unsafe { registration::unregister(self.notifier(), NonNull::new_unchecked(space.raw())) };
    }
}

/// The range of one page.
fn page(space: &Space, flags: u32) -> bindings::mmu_notifier_range {
    bindings::mmu_notifier_range {
        mm: space.raw(),
        start: 0x1000,
        end: 0x2000,
        flags,
        event: bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR,
        owner: null_mut(),
    }
}

fn start_page(space: &Space, flags: u32) -> c_int {
    let range = page(space, flags);
    // SAFETY: It lives until the end of the call.
    invalidate_range_start(space.subscriptions(), unsafe { Range::from_raw(&range) })
}

fn end_page(space: &Space) {
    let range = page(space, BLOCKABLE);
    // SAFETY: It lives until the end of the call.
    invalidate_range_end(space.subscriptions(), unsafe { Range::from_raw(&range) });
}

const BLOCKABLE: u32 = bindings::MMU_NOTIFIER_RANGE_BLOCKABLE;

#[kernel::macros::kunit_tests(mmu_notifier_hlist)]
mod cases {
    use super::*;

    #[test]
    fn the_latest_is_called_first() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FULL)?,
            Driver::registered(2, &notes, &space, &STARTS)?,
            Driver::registered(3, &notes, &space, &ENDS)?,
            Driver::registered(4, &notes, &space, &FULL)?,
        ];
        assert_eq!(start_page(&space, BLOCKABLE), 0);
        assert!(notes.are(&[4, 2, 1]));
        end_page(&space);
        assert!(notes.are(&[END + 4, END + 3, END + 1]));
        drivers[0].unregister(&space);
        assert!(notes.are(&[RELEASE + 1]));
        assert_eq!(start_page(&space, 0), 0);
        assert!(notes.are(&[4, 2]));
        drivers[3].unregister(&space);
        drivers[1].unregister(&space);
        drivers[2].unregister(&space);
        assert!(notes.are(&[RELEASE + 4]));
        assert!(space.subscriptions().list_is_empty());
        Ok(())
    }

    #[test]
    fn one_of_three_refuses() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FULL)?,
            Driver::registered(2, &notes, &space, &STARTS)?,
            Driver::registered(3, &notes, &space, &FULL)?,
        ];
        let (busy, again) = (&drivers[1].start, EAGAIN.to_errno());
        busy.set(again);
        // All are asked; those who can be are told of the end that will not come.
        assert_eq!(start_page(&space, 0), again);
        assert!(notes.are(&[3, 2, 1, END + 3, END + 1]));
        // Whoever may sleep may not refuse: the range goes on, and its end is still to come.
        let (result, warnings) = warnings_in(|| start_page(&space, BLOCKABLE));
        assert_eq!(result, 0);
        assert_eq!(warnings, 1);
        assert!(notes.are(&[3, 2, 1]));
        // Nor is anything but EAGAIN an answer.
        busy.set(ENOMEM.to_errno());
        let (result, warnings) = warnings_in(|| start_page(&space, 0));
        assert_eq!(result, ENOMEM.to_errno());
        assert_eq!(warnings, 1);
        // Nor may refuse who wants to be told of ends.
        busy.set(0);
        drivers[2].start.set(again);
        let (result, warnings) = warnings_in(|| start_page(&space, 0));
        assert_eq!(result, again);
        assert_eq!(warnings, 1);
        drivers.iter().for_each(|driver| driver.unregister(&space));
        Ok(())
    }

    #[test]
    fn the_last_refusal_counts() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &STARTS)?,
            Driver::registered(2, &notes, &space, &STARTS)?,
        ];
        drivers[1].start.set(EAGAIN.to_errno());
        assert_eq!(start_page(&space, 0), EAGAIN.to_errno());
        drivers[0].start.set(ENOMEM.to_errno());
        let (result, warnings) = warnings_in(|| start_page(&space, 0));
        assert_eq!(result, ENOMEM.to_errno());
        assert_eq!(warnings, 1);
        drivers.iter().for_each(|driver| driver.unregister(&space));
        Ok(())
    }

    #[test]
    fn the_intervals_end_with_a_refused_start() -> Result {
        let (space, notes) = (Space::with_itree()?, Notes::new());
        let driver = Driver::registered(1, &notes, &space, &STARTS)?;
        driver.start.set(EAGAIN.to_errno());
        let active = || *space.subscriptions().lock().active_ranges();
        let mut range = page(&space, 0);
        // SAFETY: As the VM calls it.
        let result = unsafe { crate::__mmu_notifier_invalidate_range_start(&mut range) };
        assert_eq!(result, EAGAIN.to_errno());
        assert_eq!(active(), 0);
        // Who may sleep goes on in spite of the refusal, and ends the range.
        range.flags = BLOCKABLE;
        let (result, warnings) = warnings_in(|| {
            // SAFETY: As the VM calls it.
            unsafe { crate::__mmu_notifier_invalidate_range_start(&mut range) }
        });
        assert_eq!(result, 0);
        assert_eq!(warnings, 1);
        assert_eq!(active(), 1);
        // SAFETY: As the VM calls it.
        unsafe { crate::__mmu_notifier_invalidate_range_end(&mut range) };
        assert_eq!(active(), 0);
        driver.unregister(&space);
        Ok(())
    }

    #[test]
    fn young_if_one_is() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FULL)?,
            Driver::registered(2, &notes, &space, &STARTS)?,
            Driver::registered(3, &notes, &space, &FULL)?,
        ];
        let (list, mm) = (space.subscriptions(), space.mm());
        for (first, last) in [(false, false), (false, true), (true, false), (true, true)] {
            drivers[0].young.set(last);
            drivers[2].young.set(first);
            // Each forgets, so each is asked.
            assert_eq!(clear_flush_young(list, mm, 0x1000, 0x2000), first || last);
            assert!(notes.are(&[3, 1]));
            assert_eq!(clear_young(list, mm, 0x1000, 0x2000), first || last);
            assert!(notes.are(&[3, 1]));
            // None forgets, so one is enough.
            assert_eq!(test_young(list, mm, 0x1000), first || last);
            assert!(notes.are(if first { &[3] } else { &[3, 1] }));
        }
        drivers.iter().for_each(|driver| driver.unregister(&space));
        Ok(())
    }

    #[test]
    fn tlbs_are_flushed() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FLUSHES)?,
            Driver::registered(2, &notes, &space, &FULL)?,
            Driver::registered(3, &notes, &space, &FLUSHES)?,
        ];
        arch_invalidate_secondary_tlbs(space.subscriptions(), space.mm(), 0x1000, 0x2000);
        assert!(notes.are(&[3, 1]));
        drivers.iter().for_each(|driver| driver.unregister(&space));
        Ok(())
    }

    #[test]
    fn exit_releases_all_once() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FULL)?,
            Driver::registered(2, &notes, &space, &STARTS)?,
            Driver::registered(3, &notes, &space, &FULL)?,
        ];
        release(space.subscriptions(), space.mm());
        assert!(notes.are(&[RELEASE + 3, RELEASE + 1]));
        assert!(space.subscriptions().list_is_empty());
        assert_eq!(start_page(&space, BLOCKABLE), 0);
        drivers.iter().for_each(|driver| driver.unregister(&space));
        assert!(notes.are(&[]));
        Ok(())
    }

    #[test]
    fn the_list_may_change_under_a_walk() -> Result {
        let (space, notes) = (Space::new()?, Notes::new());
        let drivers = [
            Driver::registered(1, &notes, &space, &FULL)?,
            Driver::registered(2, &notes, &space, &FULL)?,
            Driver::registered(3, &notes, &space, &FULL)?,
        ];
        // The next one goes, and is not met.
        drivers[2].victim.set(drivers[1].notifier.get());
        assert_eq!(start_page(&space, BLOCKABLE), 0);
        assert!(notes.are(&[3, 1]));
        // The one that is being called goes, and leads on.
        drivers[2].victim.set(drivers[2].notifier.get());
        assert_eq!(start_page(&space, BLOCKABLE), 0);
        assert!(notes.are(&[3, 1]));
        end_page(&space);
        assert!(notes.are(&[END + 1]));
        drivers.iter().for_each(|driver| driver.unregister(&space));
        assert!(notes.are(&[RELEASE + 1]));
        Ok(())
    }
}
