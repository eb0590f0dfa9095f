// SPDX-License-Identifier: GPL-2.0

//! Tells of callbacks that are stuck: which, in which task, for how long, who waits. The log is
//! told once of each; debugfs shows them for as long as they last, see [`crate::debugfs`].

use core::{
    ffi::c_void,
    mem::MaybeUninit, //
};
use kernel::{
    ffi::c_ulong,
    sync::rcu, //
};

use crate::{
    ffi,
    monitor::Seen,
    slots::Key,
    ticks::HZ,
    waiting, //
};

/// A callback that is stuck.
pub(crate) struct Stuck {
    pub(crate) key: Key,
    pub(crate) callback: *const c_void,
    pub(crate) reader: ffi::mmn_reader,
    /// In ticks, from when a pass first saw it, so it may have begun a bit before.
    pub(crate) age: c_ulong,
}

/// After how many ticks a callback counts as stuck, if ever.
pub(crate) fn limit() -> Option<c_ulong> {
    // SAFETY: No preconditions.
    let limit = unsafe { ffi::mmn_stuck_after() } as c_ulong;
    (limit != 0).then(|| limit.saturating_mul(HZ))
}

/// Tells the log of those that have been seen for long; returns after how many ticks to look again.
pub(crate) fn look(seen: &mut [Option<Seen>], now: c_ulong) -> Option<c_ulong> {
    let limit = limit()?;
    for seen in seen.iter_mut().flatten() {
        if now.wrapping_sub(seen.since) >= limit && !seen.told {
            seen.told = true;
            let rcu = rcu::read_lock();
            if let Some(stuck) = examine(seen, now, &rcu) {
                tell(&stuck, &rcu);
            }
        }
    }
    // At most an hour, which a number of jiffies holds on every machine.
    Some((limit / 4).clamp(1, HZ.saturating_mul(3600)))
}

/// Looks at what a pass has seen; `None` if it has just left.
pub(crate) fn examine(seen: &Seen, now: c_ulong, _rcu: &rcu::Guard) -> Option<Stuck> {
    let (task, callback) = seen.slot.reader();
    ffi::smp_rmb();
    if !seen.slot.is_still_of(seen.occupant) {
        return None;
    }
    let key = seen.occupant.key;
    let mut reader = MaybeUninit::<ffi::mmn_reader>::zeroed();
    // The reader may have claimed the slot and not said yet who it is: what stands there may be
    // what another has left, so the task is looked for.
    //
    // SAFETY: In an RCU section; `reader` is valid for writes.
    unsafe { ffi::mmn_find_reader(task, key.mm(), reader.as_mut_ptr()) }.then(|| Stuck {
        key,
        callback,
        // SAFETY: All zeroes is one, and C has filled it in.
        reader: unsafe { reader.assume_init() },
        age: now.wrapping_sub(seen.since),
    })
}

/// Tells the log of one, and of those who wait for it.
fn tell(stuck: &Stuck, rcu: &rcu::Guard) {
    // SAFETY: What C reads of it is valid. Those who wait do not go while they are seated, and
    // then stay for as long as the section.
    unsafe {
        ffi::mmn_say_stuck(stuck.callback, &stuck.reader, stuck.age / HZ);
        ffi::mmn_count_stuck();
        waiting::for_each(stuck.key, rcu, |task| ffi::mmn_say_waiting(task));
    }
}
