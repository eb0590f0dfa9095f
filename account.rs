// SPDX-License-Identifier: GPL-2.0

//! How often each subscription was called, and how long that took, while root wants to know.
//!
//! Records are in a table by the addresses of the subscriptions, which have no room for them. One
//! is made at the first call, and goes with the subscription, once no callback of it can run any
//! more: at the end of unregister or remove, or right before it is freed. A subscription that is at
//! the same address later so begins anew. While the module is compatible C may let subscriptions
//! go, so that there are no records then.
//!
//! Each bucket of the table has a spinlock, under which nothing else is taken, and a limit to its
//! records, so that none is long looked for: callbacks may be atomic.

use core::{
    ffi::c_void,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        KBox, //
    },
    ffi::c_uint,
    prelude::*,
    sync::atomic::{
        ordering::{
            Relaxed,
            Release, //
        },
        Atomic, //
    },
    types::NotThreadSafe, //
};

use crate::{
    ffi,
    mode, //
};

/// Records of a bucket.
const MOST: c_uint = 64;

/// Changed with the lock below held, and looked at under that of a bucket.
static ON: Atomic<bool> = Atomic::<bool>::new(false);

kernel::sync::global_lock! {
    // SAFETY: `init()` is called before anything else here.
    unsafe(uninit) static SWITCH: Mutex<()> = ();
}

/// What was counted of some calls.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) calls: u64,
    pub(crate) time: u64,
    pub(crate) worst: u64,
}

impl Sums {
    /// Of no call.
    pub(crate) const NONE: Self = Self {
        calls: 0,
        time: 0,
        worst: 0,
    };

    fn add(&mut self, other: Self) {
        self.calls = self.calls.wrapping_add(other.calls);
        self.time = self.time.wrapping_add(other.time);
        self.worst = self.worst.max(other.worst);
    }
}

struct Record {
    key: *const c_void,
    sums: Sums,
    next: *mut Record,
}

/// A bucket of the table, with its lock held.
///
/// # Invariants
///
/// `0` is one of C's, which are static, and the current task holds its lock until drop. From
/// `first`, `next` leads over records that are boxes of the table's to null.
struct Locked(NonNull<ffi::mmn_bucket>, NotThreadSafe);

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { ffi::spin_unlock(&raw mut (*self.0.as_ptr()).lock) };
    }
}

impl Locked {
    fn bucket(n: usize) -> Self {
        // SAFETY: The number is taken modulo that of the buckets.
        let bucket = unsafe { NonNull::new_unchecked(ffi::mmn_bucket(n as c_uint)) };
        // SAFETY: Static and initialised.
        unsafe { ffi::spin_lock(&raw mut (*bucket.as_ptr()).lock) };
        // INVARIANT: Just taken.
        Self(bucket, NotThreadSafe)
    }

    /// That of a subscription.
    fn of(key: *const c_void) -> Self {
        // Multiplied by the golden ratio, the upper bits depend on all.
        Self::bucket(key.addr().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48)
    }

    fn first(&mut self) -> *mut *mut Record {
        // SAFETY: By the type invariants; this only computes an address.
        unsafe { &raw mut (*self.0.as_ptr()).first }.cast()
    }

    /// What leads to the record of a subscription, or to null.
    fn find(&mut self, key: *const c_void) -> *mut *mut Record {
        let mut link = self.first();
        // SAFETY: By the type invariants.
        unsafe {
            while !(*link).is_null() && !ptr::eq((**link).key, key) {
                link = &raw mut (**link).next;
            }
        }
        link
    }

    fn records(&mut self) -> &mut c_uint {
        // SAFETY: By the type invariants.
        unsafe { &mut (*self.0.as_ptr()).records }
    }

    fn is_full(&mut self) -> bool {
        *self.records() >= MOST
    }

    /// Counts one record more, unless it is full.
    fn grow(&mut self) -> bool {
        let grows = !self.is_full();
        let records = self.records();
        *records = records.wrapping_add(c_uint::from(grows));
        grows
    }

    /// Counts one record less, and its calls among those of the others.
    fn give_up(&mut self, record: &Record) {
        let records = self.records();
        *records = records.wrapping_sub(1);
        self.others().add(record.sums);
    }

    /// Of those whose records are gone, and of those that there was no room or memory for.
    fn others(&mut self) -> &mut Sums {
        // SAFETY: By the type invariants; C has room for it there, and nothing else.
        unsafe { &mut *(&raw mut (*self.0.as_ptr()).others).cast::<Sums>() }
    }
}

const _: () = assert!(size_of::<Sums>() == size_of::<ffi::mmn_sums>());

fn buckets() -> impl Iterator<Item = Locked> {
    // SAFETY: No preconditions.
    (0..unsafe { ffi::mmn_buckets() } as usize).map(Locked::bucket)
}

/// Makes the lock of the switch; called once.
pub(crate) fn init() {
    // SAFETY: By this function's own requirements.
    unsafe { SWITCH.init() };
}

/// Whether calls are counted.
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Begins to count, from nothing, or stops, and forgets all.
///
/// Context: sleeps.
pub(crate) fn switch(on: bool) {
    let _guard = SWITCH.lock();
    if on == is_on() {
        return;
    }
    if on {
        buckets().for_each(|mut bucket| *bucket.others() = Sums::NONE);
        // There are records only while everybody knows that they may have to be forgotten.
        //
        // SAFETY: Ended below, when it is switched off.
        unsafe { ffi::mmn_observe_begin() };
        ON.store(true, Release);
    } else {
        ON.store(false, Relaxed);
        forget_all();
        // SAFETY: Begun above.
        unsafe { ffi::mmn_observe_end() };
    }
}

/// A record without calls, if there is memory for one.
fn new_record(key: *const c_void) -> Option<KBox<Record>> {
    // SAFETY: No preconditions.
    if unsafe { ffi::mmn_frees_memory() } {
        return None;
    }
    KBox::new(
        Record {
            key,
            sums: Sums::NONE,
            next: ptr::null_mut(),
        },
        GFP_NOWAIT,
    )
    .ok()
}

/// Counts a call of the subscription at `key`, which cannot go before this returns.
///
/// Context: any but interrupts; never sleeps.
#[inline(never)]
pub(crate) fn add(key: *const c_void, duration: u64) {
    if !is_on() {
        return;
    }
    let call = Sums {
        calls: 1,
        time: duration,
        worst: duration,
    };
    {
        let mut bucket = Locked::of(key);
        let link = bucket.find(key);
        // SAFETY: By the type invariants of the bucket.
        if let Some(record) = unsafe { (*link).as_mut() } {
            record.sums.add(call);
            return;
        }
        if bucket.is_full() && is_on() {
            bucket.others().add(call);
            return;
        }
    }
    let new = new_record(key);
    let mut spare = None;
    {
        let mut bucket = Locked::of(key);
        // Who switches it off or changes the mode looks at this bucket afterwards.
        if !is_on() {
            spare = new;
        } else {
            let link = bucket.find(key);
            match new {
                // SAFETY: By the type invariants of the bucket.
                Some(new) if mode::is_native() && unsafe { (*link).is_null() } && bucket.grow() => {
                    let new = KBox::into_raw(new);
                    // INVARIANT: A box, and the last one.
                    // SAFETY: Just made; what leads there is valid by the type invariants.
                    unsafe {
                        (*new).sums = call;
                        *link = new;
                    }
                }
                new => {
                    spare = new;
                    // SAFETY: By the type invariants of the bucket.
                    match unsafe { (*link).as_mut() } {
                        Some(record) => record.sums.add(call),
                        None => bucket.others().add(call),
                    }
                }
            }
        }
    }
    drop(spare);
}

/// What was counted of the subscription at `key`; of one that goes meanwhile, perhaps nothing.
///
/// Context: any but interrupts; never sleeps.
pub(crate) fn of(key: *const c_void) -> Sums {
    let mut bucket = Locked::of(key);
    let link = bucket.find(key);
    // SAFETY: By the type invariants of the bucket.
    unsafe { (*link).as_ref() }.map_or(Sums::NONE, |record| record.sums)
}

/// What was counted of all.
pub(crate) fn totals() -> Sums {
    let mut totals = Sums::NONE;
    for mut bucket in buckets() {
        totals.add(*bucket.others());
        let mut link = bucket.first();
        // SAFETY: By the type invariants of the bucket.
        unsafe {
            while let Some(record) = (*link).as_mut() {
                totals.add(record.sums);
                link = &raw mut record.next;
            }
        }
    }
    totals
}

/// Forgets the subscription at `key`: no callback of it runs or will run.
///
/// Context: any but interrupts; never sleeps.
#[cold]
#[inline(never)]
pub(crate) fn forget(key: *const c_void) {
    if !is_on() {
        return;
    }
    let mut bucket = Locked::of(key);
    let link = bucket.find(key);
    // SAFETY: By the type invariants of the bucket.
    let found = unsafe { *link };
    if found.is_null() {
        return;
    }
    // INVARIANT: The record is passed over.
    // SAFETY: As above; it is a box.
    let record = unsafe {
        *link = (*found).next;
        KBox::from_raw(found)
    };
    bucket.give_up(&record);
    drop(bucket);
    drop(record);
}

/// Forgets all subscriptions, but keeps the sums.
///
/// Context: any but interrupts; never sleeps.
pub(crate) fn forget_all() {
    for mut bucket in buckets() {
        let first = bucket.first();
        // INVARIANT: Empty.
        // SAFETY: By the type invariants of the bucket.
        let chain = unsafe { first.replace(ptr::null_mut()) };
        let mut next = chain.cast_const();
        // SAFETY: A record of the chain, or null.
        while let Some(record) = unsafe { next.as_ref() } {
            bucket.give_up(record);
            next = record.next;
        }
        drop(bucket);
        let mut next = chain;
        while !next.is_null() {
            // SAFETY: It is a box of the table's, which has it no more.
            next = unsafe { KBox::from_raw(next) }.next;
        }
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/account.rs"]
mod tests;
