// SPDX-License-Identifier: GPL-2.0

//! Looks at all slots now and then, for those who cannot wait themselves.
//!
//! A *pass* remembers for each slot since which pass it has seen the reader that is in it. From
//! that it tells
//!
//! - which subscriptions that were put can be freed, see [`crate::pending`];
//! - when the last reader has gone that began in native mode, after the module became compatible;
//! - which callback is stuck, see [`crate::watchdog`].
//!
//! Passes follow each other every few ticks while somebody waits for one of the first two, and
//! otherwise as seldom as the watchdog needs. They never run side by side, which the work item sees
//! to.
//!
//! # Readers in native mode and waiters in C
//!
//! C waits for the kernel's domain, which native readers do not enter. So when the module becomes
//! compatible it enters that domain for them, before any task can be in C, and leaves it when the
//! last of them has left its slot and what they put has been freed.

use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KVVec, //
    },
    error::to_result,
    ffi::c_ulong,
    prelude::*,
    sync::atomic::{
        ordering::{
            Acquire,
            Full,
            Relaxed,
            Release, //
        },
        Atomic, //
    }, //
};

use crate::{
    domain,
    ffi,
    pending::Pending,
    slots::{
        self,
        Key,
        Occupant,
        Slot, //
    },
    srcu,
    ticks::{
        jiffies,
        HZ, //
    },
    wait::wait_event,
    watchdog, //
};

/// The longest pause between passes that somebody waits for, in parts of a second.
const HURRY: c_ulong = 50;

/// What passes know of a slot.
pub(crate) struct Seen {
    pub(crate) slot: Slot,
    pub(crate) occupant: Occupant,
    /// The pass that saw it first, and when that was, in jiffies.
    since_pass: usize,
    pub(crate) since: c_ulong,
    /// Whether the watchdog has told of it.
    pub(crate) told: bool,
}

/// What a pass has to itself.
struct State {
    pass: usize,
    /// By the numbers of the slots; as many as there are slots.
    seen: KVVec<Option<Seen>>,
    pending: Pending,
    standing_in: Option<Taken>,
    pause: c_ulong,
}

/// A stand-in in the hands of the monitor.
struct Taken {
    index: srcu::Index,
    /// It is for the readers that this pass saw.
    pass: usize,
    /// The first pass that saw them all gone.
    gone: Option<usize>,
}

// SAFETY: Slots are static, pending heads are its own, and no task is tied to either.
unsafe impl Send for State {}

kernel::sync::global_lock! {
    // SAFETY: `init()` comes before anything else here.
    unsafe(uninit) static STATE: Mutex<State> = State {
        pass: 0,
        seen: KVVec::new(),
        pending: Pending::new(),
        standing_in: None,
        pause: 1,
    };
}

/// The last pass that has begun.
static BEGUN: Atomic<usize> = Atomic::<usize>::new(0);
/// The last pass such that all that it and those before it took has been freed.
static SETTLED: Atomic<usize> = Atomic::<usize>::new(0);
/// A stand-in that no pass has taken yet: its index plus one, or zero.
static REQUEST: Atomic<usize> = Atomic::<usize>::new(0);
/// Whether there is a stand-in that a pass has taken.
static STANDING_IN: Atomic<bool> = Atomic::<bool>::new(false);

/// Starts passes.
///
/// # Errors
///
/// `ENOMEM`; no pass runs then.
///
/// Context: sleeps. Called once, before anything else here.
pub(crate) fn init() -> Result {
    // SAFETY: Called once, before anything else here.
    unsafe { STATE.init() };
    let mut seen = KVVec::with_capacity(slots::count(), GFP_KERNEL)?;
    for _ in 0..slots::count() {
        seen.push_within_capacity(None).map_err(|_| ENOMEM)?;
    }
    // Before the work item can run: from then on, writing to `stuck_after` has it do so.
    STATE.lock().seen = seen;
    // SAFETY: Called once.
    to_result(unsafe { ffi::mmn_monitor_init() })
        .inspect_err(|_| STATE.lock().seen = KVVec::new())?;
    // SAFETY: The work item is there.
    unsafe { ffi::mmn_monitor_kick() };
    Ok(())
}

/// Waits until no reader and nothing that was put is left, and stops.
///
/// Context: sleeps. When this crate's functions are unreachable.
#[cfg(MODULE)]
pub(crate) fn exit() {
    barrier();
    // SAFETY: The queue is static, and each pass wakes it.
    unsafe {
        wait_event(ffi::mmn_monitor_queue(), || {
            REQUEST.load(Acquire) == 0 && !STANDING_IN.load(Acquire)
        })
    };
    // SAFETY: Called once, after `init()`.
    unsafe { ffi::mmn_monitor_exit() };
    STATE.lock().seen = KVVec::new();
}

/// Visits what the last pass has seen. No pass runs meanwhile.
///
/// Context: sleeps before `visit` is called.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
pub(crate) fn for_each_seen(mut visit: impl FnMut(&Seen)) {
    STATE.lock().seen.iter().flatten().for_each(&mut visit);
}

/// Waits until all that was put before this call has been freed.
///
/// Context: sleeps. Must not be called from a callback.
pub(crate) fn barrier() {
    // The pass that runs may have taken what was queued already; the next one surely does.
    let target = BEGUN.load(Acquire).wrapping_add(1);
    // SAFETY: No preconditions but `init()`.
    unsafe { ffi::mmn_monitor_kick() };
    // SAFETY: The queue is static, and each pass wakes it.
    unsafe {
        wait_event(ffi::mmn_monitor_queue(), || {
            reached(SETTLED.load(Acquire), target)
        })
    };
}

/// The kernel's domain, entered for readers in slots.
#[must_use = "C's waiters wait until it is given to the monitor"]
pub(crate) struct StandIn(srcu::Index);

// Only a change of mode needs one.
#[cfg_attr(not(any(MODULE, CONFIG_MMU_NOTIFIER_KUNIT_TEST)), expect(dead_code))]
impl StandIn {
    /// Enters the kernel's domain.
    pub(crate) fn enter() -> Self {
        Self(srcu::Global::get().down_read())
    }

    /// Has it left as soon as everybody who is in a slot now has left, and what they put has been
    /// freed.
    pub(crate) fn leave_later(self) {
        // The change of mode comes before the look at the slots of the pass that takes the request,
        // be it this one or an earlier one that no pass has taken yet.
        ffi::smp_mb();
        let raw = self.0.into_raw().wrapping_add(1);
        if REQUEST.cmpxchg(0, raw, Full).is_err() {
            // The earlier one has lasted longer, and there may be who waits for it.
            //
            // SAFETY: Entered by `enter()`, and not left or given away.
            unsafe { srcu::Global::get().up_read(self.0) };
        }
        // SAFETY: No preconditions but `init()`.
        unsafe { ffi::mmn_monitor_kick() };
    }
}

/// One pass, as the work item runs it.
#[no_mangle]
extern "C" fn mmn_monitor_pass() {
    STATE.lock().pass();
}

impl State {
    fn pass(&mut self) {
        self.pass = self.pass.wrapping_add(1);
        BEGUN.store(self.pass, Release);
        let idle = self.pending.is_empty() && self.standing_in.is_none();
        self.pending.take_new(self.pass);
        self.take_stand_in();
        // What was queued or asked for comes before the look at the slots.
        ffi::smp_mb();
        let now = jiffies();
        slots::for_each(|n, slot| {
            if let Some(seen) = self.seen.get_mut(n) {
                look(seen, slot, self.pass, now);
            }
        });

        let seen = &self.seen;
        let crowded = domain::is_crowded();
        let earliest = self
            .pending
            .free_ready(|key, pass| crowded || has_reader(seen, pass, |reader| reader == key));
        self.end_stand_in(crowded, earliest);
        let settled = earliest.map_or(self.pass, |earliest| earliest.wrapping_sub(1));
        SETTLED.store(settled, Release);

        let calm = watchdog::look(&mut self.seen, now);
        if self.pending.is_empty() && self.standing_in.is_none() {
            self.pause = 1;
            if let Some(calm) = calm {
                plan(calm);
            }
        } else {
            self.pause = if idle {
                1
            } else {
                self.pause.wrapping_mul(2).min((HZ / HURRY).max(1))
            };
            plan(self.pause);
        }
    }

    fn take_stand_in(&mut self) {
        if REQUEST.load(Relaxed) == 0 {
            return;
        }
        // In this order, for `exit()`.
        STANDING_IN.store(true, Relaxed);
        let Some(raw) = REQUEST.xchg(0, Full).checked_sub(1) else {
            return;
        };
        let index = srcu::Index::from_raw(raw);
        let index = match self.standing_in.take() {
            None => index,
            Some(earlier) => {
                // One section is enough, if it has lasted all the time.
                //
                // SAFETY: Whoever asked has given it away, and it is not used again.
                unsafe { srcu::Global::get().up_read(index) };
                earlier.index
            }
        };
        self.standing_in = Some(Taken {
            index,
            pass: self.pass,
            gone: None,
        });
    }

    /// Leaves the kernel's domain once the readers are gone, and then what they put: who puts is a
    /// reader until it has queued, so the next pass has it all.
    fn end_stand_in(&mut self, crowded: bool, earliest: Option<usize>) {
        let Some(taken) = &mut self.standing_in else {
            return;
        };
        let Some(gone) = taken.gone else {
            if !crowded && !has_reader(&self.seen, taken.pass, Key::is_list) {
                taken.gone = Some(self.pass);
            }
            return;
        };
        let next = gone.wrapping_add(1);
        if earliest.is_some_and(|earliest| reached(next, earliest)) {
            return;
        }
        // SAFETY: Entered by `StandIn::enter()`, and not left yet.
        unsafe { srcu::Global::get().up_read(taken.index) };
        self.standing_in = None;
        STANDING_IN.store(false, Release);
    }
}

/// Brings what is known of a slot up to date.
fn look(seen: &mut Option<Seen>, slot: Slot, pass: usize, now: c_ulong) {
    let occupant = slot.occupant();
    if seen.as_ref().map(|seen| seen.occupant) != occupant {
        *seen = occupant.map(|occupant| Seen {
            slot,
            occupant,
            since_pass: pass,
            since: now,
            told: false,
        });
    }
}

/// Whether somebody is in a slot who may have been there at the pass `pass`.
fn has_reader(seen: &[Option<Seen>], pass: usize, is_one: impl Fn(Key) -> bool) -> bool {
    seen.iter()
        .flatten()
        .any(|seen| reached(pass, seen.since_pass) && is_one(seen.occupant.key))
}

fn plan(pause: c_ulong) {
    // SAFETY: No preconditions but `init()`.
    unsafe { ffi::mmn_monitor_plan(pause) };
}

/// Whether the pass `pass` is `target` or a later one. Their numbers wrap.
fn reached(pass: usize, target: usize) -> bool {
    pass.wrapping_sub(target) as isize >= 0
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/monitor.rs"]
mod tests;
