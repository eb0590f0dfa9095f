// SPDX-License-Identifier: GPL-2.0

//! Looks at calls, for tracepoints and [`crate::account`], while somebody wants that.
//!
//! Nothing of it may cost who does not look. Off, the hooks that are called most do not even know
//! of it, nor does the call of `release` by unregister: they look at the mode, which tells of
//! observers as well, see [`crate::mode`]. Elsewhere a static key is a no-op. Both lead to
//! functions out of line, which ask each event for its own key.
//!
//! The events are defined in `rust/tracepoints.h`, and called through C, which has their keys: the
//! kernel crate's `declare_trace!` knows only events of its own bindings.

use core::ffi::c_void;
use kernel::{
    bindings,
    sync::rcu, //
};

use crate::{
    account,
    ffi,
    slots::{
        self,
        Key,
        Occupant,
        Slot, //
    }, //
};

/// Whether somebody looks. A no-op while nobody does.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    // SAFETY: It is a static key that C defines.
    unsafe {
        kernel::jump_label::static_branch_unlikely!(
            crate::ffi::mmn_observing,
            crate::ffi::mmn_observing,
            key
        )
    }
}

/// Counts nanoseconds. (The kernel crate's `Instant` could panic.)
pub(crate) struct Watch(bindings::ktime_t);

impl Watch {
    /// Begins to count.
    ///
    /// Context: any but NMI.
    pub(crate) fn start() -> Self {
        // SAFETY: In no NMI.
        Self(unsafe { bindings::ktime_get() })
    }

    /// How many it has counted.
    pub(crate) fn read(&self) -> u64 {
        // SAFETY: As above. It never goes back.
        unsafe { bindings::ktime_get() }.wrapping_sub(self.0) as u64
    }
}

/// A wait of the current task, until drop, that observers are told of.
pub(crate) struct Wait {
    key: Key,
    watch: Watch,
}

impl Wait {
    /// Begins a wait for readers of `key` if somebody observes.
    #[inline(always)]
    pub(crate) fn begin(key: Key) -> Option<Self> {
        is_on().then(|| Self::observed(key))
    }

    #[cold]
    #[inline(never)]
    fn observed(key: Key) -> Self {
        // SAFETY: The `mm` is not looked into.
        unsafe { ffi::mmn_trace_wait_begin(key.mm().cast(), !key.is_list()) };
        Self {
            key,
            watch: Watch::start(),
        }
    }
}

impl Drop for Wait {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        let (mm, intervals) = (self.key.mm().cast(), !self.key.is_list());
        // SAFETY: As above.
        unsafe { ffi::mmn_trace_wait_end(mm, intervals, self.watch.read()) };
    }
}

/// Tells observers of the reader for which the current task is about to sleep.
#[cold]
#[inline(never)]
pub(crate) fn tell_of_reader(slot: Slot, reader: Occupant) {
    let _rcu = rcu::read_lock();
    let (task, callback) = slot.reader();
    ffi::smp_rmb();
    if slot.is_still_of(reader) {
        let (mm, intervals) = (reader.key.mm().cast(), !reader.key.is_list());
        // SAFETY: C looks for the task first, and RCU keeps it; the others are not looked into.
        unsafe { ffi::mmn_trace_blocked(mm, intervals, task, callback) };
    }
}

/// As [`tell_of_reader`], of all who are in a callback for `key`.
#[cold]
#[inline(never)]
pub(crate) fn tell_of_readers(key: Key) {
    slots::for_each(|_, slot| {
        if let Some(reader) = slot.occupant().filter(|reader| reader.key == key) {
            tell_of_reader(slot, reader);
        }
    });
}

/// Calls a callback of the subscription at `key`. If it is to be observed, `tell` gets its result
/// and how long it took.
///
/// `OBSERVED` is whether it may have to be: what is known not to be costs nothing more.
#[inline(always)]
pub(crate) fn call<const OBSERVED: bool, R: Copy>(
    key: *const c_void,
    callback: impl FnOnce() -> R,
    tell: impl FnOnce(R, u64),
) -> R {
    if !OBSERVED || !is_on() {
        return callback();
    }
    let watch = Watch::start();
    let result = callback();
    let duration = watch.read();
    account::add(key, duration);
    tell(result, duration);
    result
}

/// Tells of a subscription to a whole address space.
///
/// # Safety
///
/// `subscription` must be valid with its table and its `mm`.
#[cold]
#[inline(never)]
pub(crate) unsafe fn tell_of(
    event: unsafe extern "C" fn(*const bindings::mm_struct, *const c_void, *const c_void),
    subscription: *const bindings::mmu_notifier,
) {
    // SAFETY: By this function's own requirements.
    unsafe {
        event(
            (*subscription).mm,
            subscription.cast(),
            driver(&*(*subscription).ops),
        )
    };
}

/// Tells of a subscription to an interval.
///
/// # Safety
///
/// `subscription` must be valid with its table and its `mm`.
#[cold]
#[inline(never)]
pub(crate) unsafe fn tell_of_interval(
    event: unsafe extern "C" fn(
        *const bindings::mm_struct,
        *const c_void,
        *const c_void,
        usize,
        usize,
    ),
    subscription: *const bindings::mmu_interval_notifier,
) {
    // SAFETY: By this function's own requirements.
    unsafe {
        let node = &raw const (*subscription).interval_tree;
        event(
            (*subscription).mm,
            subscription.cast(),
            interval_driver(&*(*subscription).ops),
            (*node).start,
            (*node).last.wrapping_add(1),
        )
    };
}

/// One of a driver's callbacks, to know it by.
pub(crate) fn driver(ops: &bindings::mmu_notifier_ops) -> *const c_void {
    macro_rules! first_of {
        ($($name:ident)*) => {
            None$(.or(ops.$name.map(|callback| callback as *const c_void)))*
        };
    }
    first_of!(
        invalidate_range_start
        invalidate_range_end
        arch_invalidate_secondary_tlbs
        release
        clear_flush_young
        clear_young
        test_young
        free_notifier
        alloc_notifier
    )
    .unwrap_or(core::ptr::null())
}

/// As [`driver`], of a subscription to an interval.
pub(crate) fn interval_driver(ops: &bindings::mmu_interval_notifier_ops) -> *const c_void {
    ops.invalidate
        .map(|callback| callback as *const c_void)
        .or(ops
            .invalidate_start
            .map(|callback| callback as *const c_void))
        .unwrap_or(core::ptr::null())
}
