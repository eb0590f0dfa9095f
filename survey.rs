// SPDX-License-Identifier: GPL-2.0

//! Which subscriptions a process has.
//!
//! The list is walked in a section of its domain, as by the VM, so whoever unregisters meanwhile
//! waits. The interval tree is walked under the state's spinlock, but only some of it at a time:
//! the VM wants that lock, too. Those that start at one address can only be counted off from the
//! first, so only some of them are visited at all.

use core::{
    ffi::c_void,
    ptr, //
};
use kernel::{
    bindings,
    container_of,
    ffi::c_ulong,
    mm::Mm,
    prelude::*, //
};

use crate::{
    age,
    domain::Domain,
    ffi,
    observe,
    subscriptions::{
        Locked,
        Subscriptions, //
    }, //
};

type Node = bindings::interval_tree_node;

/// How many interval subscriptions are looked at with the spinlock held once.
const BATCH: usize = 128;
/// How many that start at one address are visited.
const TOGETHER: usize = 4 * BATCH;

/// What an entry is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A subscription to the whole address space.
    Whole,
    /// One to an interval, with its first and last address.
    Interval(c_ulong, c_ulong),
    /// No subscription: there are more that start at this address, which are not visited.
    More(c_ulong),
}

/// A subscription as it was found.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Its address.
    pub(crate) key: *const c_void,
    pub(crate) kind: Kind,
    /// In ticks.
    pub(crate) age: Option<c_ulong>,
    /// One of its callbacks.
    pub(crate) driver: *const c_void,
}

impl Entry {
    /// Of no subscription.
    const fn none(kind: Kind) -> Self {
        Self {
            key: ptr::null(),
            kind,
            age: None,
            driver: ptr::null(),
        }
    }
}

/// Some of the intervals.
struct Batch([Entry; BATCH]);

// SAFETY: The pointers in it are never followed.
unsafe impl Send for Batch {}

kernel::sync::global_lock! {
    // SAFETY: `init()` is called before anything else here.
    unsafe(uninit) static INTERVALS: Mutex<Batch> = Batch([Entry::none(Kind::Whole); BATCH]);
}

/// Makes the lock of the batch; called once.
pub(crate) fn init() {
    // SAFETY: By this function's own requirements.
    unsafe { INTERVALS.init() };
}

/// Visits the subscriptions to an address space: first those to the whole, in a section of their
/// domain, then those to intervals, by their starts.
///
/// One that is there all the time is visited once, but that among those that start at the same
/// address one may be missed, or come twice, while others of them come and go; and after the first
/// [`TOGETHER`] of them comes [`Kind::More`] in place of the others. One whose insertion waits for
/// invalidations to end is not there yet.
///
/// It ends when `visit` returns false.
///
/// Context: sleeps.
pub(crate) fn visit(mm: &Mm, mut visit: impl FnMut(&Entry) -> bool) {
    let Some(subscriptions) = Subscriptions::of(mm) else {
        return;
    };
    if !subscriptions.list_is_empty() {
        let section = Domain::of(mm.as_raw()).read();
        for subscription in subscriptions.iter(&section) {
            let goes_on = visit(&Entry {
                key: subscription.key(),
                kind: Kind::Whole,
                age: age::of(subscription.kept()),
                driver: observe::driver(subscription.ops()),
            });
            if !goes_on {
                return;
            }
        }
    }
    if !subscriptions.has_itree() {
        return;
    }
    let mut batch = INTERVALS.lock();
    let mut place = Place { start: 0, skip: 0 };
    loop {
        let found = collect(&mut subscriptions.lock(), &mut place, &mut batch.0);
        if !batch.0.iter().take(found).all(&mut visit) || found < BATCH {
            return;
        }
    }
}

/// Where to go on in a tree: after `skip` of those that start at `start`, at most [`TOGETHER`].
struct Place {
    start: c_ulong,
    skip: usize,
}

/// Fills a batch from `place` on, and sets it to what comes after; returns how many were found.
fn collect(locked: &mut Locked<'_>, place: &mut Place, batch: &mut [Entry; BATCH]) -> usize {
    let mut node = first_from(locked, place.start);
    let mut found = 0usize;
    let mut skip = place.skip;
    for entry in batch {
        // SAFETY: The lock is held, so the tree does not change, and what is in it is valid, with
        // its table.
        unsafe {
            while skip > 0 && !node.is_null() && (*node).start == place.start {
                skip = skip.wrapping_sub(1);
                node = next(node);
            }
            let Some(start) = node.as_ref().map(|node| node.start) else {
                break;
            };
            skip = 0;
            if start != place.start {
                *place = Place { start, skip: 0 };
            }
            if place.skip < TOGETHER {
                place.skip = place.skip.wrapping_add(1);
                *entry = entry_of(node);
                node = next(node);
            } else {
                let Some(start) = start.checked_add(1) else {
                    break;
                };
                *entry = Entry::none(Kind::More(place.start));
                *place = Place { start, skip: 0 };
                node = first_from(locked, start);
            }
        }
        found = found.wrapping_add(1);
    }
    found
}

/// The node after `node`, or null.
///
/// # Safety
///
/// `node` must be in a tree that does not change.
unsafe fn next(node: *mut Node) -> *mut Node {
    // SAFETY: By this function's own requirements.
    unsafe { of_rb(bindings::rb_next(&raw const (*node).rb)) }
}

/// The node that has `rb`; null of null.
///
/// # Safety
///
/// `rb` must be null or that of a node.
unsafe fn of_rb(rb: *mut bindings::rb_node) -> *mut Node {
    if rb.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: By this function's own requirements.
    unsafe { container_of!(rb, Node, rb) }
}

/// The first node that starts at `start` or later.
fn first_from(locked: &mut Locked<'_>, start: c_ulong) -> *mut Node {
    let mut best = ptr::null_mut();
    // SAFETY: The lock is held, so the tree does not change, and what is in it is valid.
    unsafe {
        let mut node = of_rb((*locked.itree()).rb_root.rb_node);
        while !node.is_null() {
            let rb = &(*node).rb;
            node = of_rb(if (*node).start >= start {
                best = node;
                rb.rb_left
            } else {
                rb.rb_right
            });
        }
    }
    best
}

/// What is to be said of an interval subscription.
///
/// # Safety
///
/// `node` must be that of a valid subscription that is in the tree, with the state's lock held.
unsafe fn entry_of(node: *mut Node) -> Entry {
    // SAFETY: By this function's own requirements.
    unsafe {
        let sub = container_of!(node, bindings::mmu_interval_notifier, interval_tree);
        Entry {
            key: sub.cast_const().cast(),
            kind: Kind::Interval((*node).start, (*node).last),
            age: age::of(ffi::read_once(&raw const (*sub).deferred_item.next)),
            driver: observe::interval_driver(&*(*sub).ops),
        }
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/survey.rs"]
mod tests;
