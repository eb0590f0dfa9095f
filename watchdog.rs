// SPDX-License-Identifier: GPL-2.0

//! Tells of callbacks that are stuck, once each: which, in which task, for how long, who waits.

use kernel::{
    bindings,
    ffi::c_ulong,
    sync::barrier::{
        smp_mb,
        Read, //
    }, //
};

use crate::{
    ffi,
    monitor::Seen,
    waiting, //
};

/// Tells of those that have been seen for long; returns after how many jiffies to look again.
///
/// The time counts from when a pass first saw the callback, so it may have begun a bit before.
pub(crate) fn look(seen: &mut [Option<Seen>], now: c_ulong) -> Option<c_ulong> {
    // SAFETY: No preconditions.
    let limit = unsafe { ffi::mmn_stuck_after() } as c_ulong;
    if limit == 0 {
        return None;
    }
    let hz = bindings::HZ as c_ulong;
    let limit = limit.saturating_mul(hz);
    for seen in seen.iter_mut().flatten() {
        let age = now.wrapping_sub(seen.since);
        if age >= limit && !seen.told {
            seen.told = true;
            tell(seen, age / hz);
        }
    }
    // At most an hour, which a number of jiffies holds on every machine.
    Some((limit / 4).clamp(1, hz.saturating_mul(3600)))
}

/// Tells of one, unless it has just left.
fn tell(seen: &Seen, seconds: c_ulong) {
    // SAFETY: Ended below.
    unsafe { ffi::mmn_rcu_read_lock() };
    let (task, callback) = seen.slot.reader();
    smp_mb(Read);
    if seen.slot.is_still_of(seen.occupant) {
        let key = seen.occupant.key;
        // The reader may have claimed the slot and not said yet who it is: what stands there may be
        // what another has left, so the task is looked for.
        //
        // SAFETY: In an RCU section.
        if unsafe { ffi::mmn_say_stuck(callback, task, key.mm(), seconds) } {
            // SAFETY: As above. Those who wait do not go while they are seated, and then stay for
            // as long as the section.
            unsafe {
                ffi::mmn_count_stuck();
                waiting::for_each(key, |task| ffi::mmn_say_waiting(task));
            }
        }
    }
    // SAFETY: Pairs with the lock above.
    unsafe { ffi::mmn_rcu_read_unlock() };
}
