// SPDX-License-Identifier: GPL-2.0

//! A driver with one interval subscription, as the tests of the protocol have it.

// Callbacks of drivers: as the core calls them.
#![allow(clippy::missing_safety_doc)]

use core::cell::{
    Cell,
    UnsafeCell, //
};
use kernel::alloc::{
    flags::GFP_KERNEL,
    KBox, //
};

use super::*;
use crate::fixture::{
    Notes,
    Space, //
};

/// Added to a subscription's number by its second pass.
pub(super) const FINISH: u32 = 100;

/// A driver with one subscription, which notes its number when it is called.
#[repr(C)]
pub(super) struct Driver<'a> {
    sub: UnsafeCell<IntervalSub>,
    finish: UnsafeCell<bindings::mmu_interval_notifier_finish>,
    pub(super) number: u32,
    notes: &'a Notes,
    /// Whether it would have to sleep.
    pub(super) busy: Cell<bool>,
    pub(super) seen: Cell<c_ulong>,
}

unsafe fn driver<'a>(sub: *mut IntervalSub) -> &'a Driver<'a> {
    // SAFETY: The subscription of each table below is a driver's first field.
    unsafe { &*sub.cast::<Driver<'a>>() }
}

unsafe extern "C" fn invalidate(
    sub: *mut IntervalSub,
    _range: *const bindings::mmu_notifier_range,
    seq: c_ulong,
) -> bool {
    // SAFETY: Called for a driver of this file.
    let driver = unsafe { driver(sub) };
    driver.notes.add(driver.number);
    driver.seen.set(seq);
    if driver.busy.get() {
        return false;
    }
    // SAFETY: This is `mmu_interval_set_seq()`.
    unsafe { ffi::write_once(&raw mut (*sub).invalidate_seq, seq) };
    true
}

unsafe extern "C" fn invalidate_start(
    sub: *mut IntervalSub,
    range: *const bindings::mmu_notifier_range,
    seq: c_ulong,
    finish: *mut *mut bindings::mmu_interval_notifier_finish,
) -> bool {
    // SAFETY: Called for a driver of this file; `finish` is the core's.
    unsafe {
        // Also by one that refuses: it must not be finished.
        *finish = driver(sub).finish.get();
        invalidate(sub, range, seq)
    }
}

unsafe extern "C" fn invalidate_finish(finish: *mut bindings::mmu_interval_notifier_finish) {
    // SAFETY: The core has put the subscription there.
    let driver = unsafe { driver((*finish).notifier) };
    driver.notes.add(FINISH + driver.number);
}

pub(super) static ONE_PASS: bindings::mmu_interval_notifier_ops =
    bindings::mmu_interval_notifier_ops {
        invalidate: Some(invalidate),
        invalidate_start: None,
        invalidate_finish: None,
    };

pub(super) static TWO_PASSES: bindings::mmu_interval_notifier_ops =
    bindings::mmu_interval_notifier_ops {
        invalidate: None,
        invalidate_start: Some(invalidate_start),
        invalidate_finish: Some(invalidate_finish),
    };

impl<'a> Driver<'a> {
    pub(super) fn new(number: u32, notes: &'a Notes) -> Result<KBox<Self>> {
        let driver = Self {
            // SAFETY: Plain data.
            sub: UnsafeCell::new(unsafe { core::mem::zeroed() }),
            // SAFETY: Plain data.
            finish: UnsafeCell::new(unsafe { core::mem::zeroed() }),
            number,
            notes,
            busy: Cell::new(false),
            seen: Cell::new(0),
        };
        Ok(KBox::new(driver, GFP_KERNEL)?)
    }

    /// A driver whose subscription has just been inserted.
    pub(super) fn inserted(
        number: u32,
        notes: &'a Notes,
        space: &Space,
        start: c_ulong,
        length: c_ulong,
    ) -> Result<KBox<Self>> {
        let driver = Self::new(number, notes)?;
        driver.insert(space, start, length, &ONE_PASS)?;
        Ok(driver)
    }

    pub(super) fn insert(
        &self,
        space: &Space,
        start: c_ulong,
        length: c_ulong,
        ops: &'static bindings::mmu_interval_notifier_ops,
    ) -> Result {
        // SAFETY: It is in its box until it has been removed.
        unsafe {
            insert(
                self.sub.get(),
                space.mm(),
                space.subscriptions(),
                start,
                length,
                ops,
            )
        }
    }

    pub(super) fn remove(&self) {
        // SAFETY: Inserted, as tests remove nothing else.
        unsafe { remove(self.sub.get()) };
    }

    pub(super) fn seq(&self) -> c_ulong {
        // SAFETY: Valid.
        unsafe { ffi::read_once(&raw const (*self.sub.get()).invalidate_seq) }
    }

    pub(super) fn read_begin(&self) -> c_ulong {
        // SAFETY: Inserted.
        unsafe { read_begin(self.sub.get()) }.raw()
    }

    /// `mmu_interval_read_retry()`
    pub(super) fn must_retry(&self, seq: c_ulong) -> bool {
        self.seq() != seq
    }

    pub(super) fn is_in_tree(&self) -> bool {
        // SAFETY: Valid, and the tree does not change beside a test's look.
        unsafe { is_in_tree(&raw mut (*self.sub.get()).interval_tree) }
    }
}
