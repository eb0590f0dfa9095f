// SPDX-License-Identifier: GPL-2.0

//! The interval side: subscriptions to a range of an address space.
//!
//! # The collision-retry protocol
//!
//! A driver builds secondary page tables from the CPU's without a lock that the VM would take:
//! it reads a sequence, looks at the pages, takes its own lock (the *user lock*), and commits only
//! if no invalidation of its range has come in between. Invalidations may nest and run side by
//! side; the *last* one to end makes the sequence even again.
//!
//! | `active_invalidate_ranges` | `invalidate_seq` | state | tree |
//! |---|---|---|---|
//! | 0 | even | nothing runs | may change |
//! | > 0 | even | invalidations run, none met a subscription | may change |
//! | > 0 | odd | at least one met a subscription | fixed: changes go to the deferred list |
//!
//! A fixed tree is what lets invalidations walk it without a lock while their callbacks sleep.
//!
//! ```text
//!  invalidation                            driver
//!                                          read_begin():
//!                                            lock; seq = own seq; unlock
//!                                            if seq == mm's seq: wait until it changes
//!  inv_start():
//!    lock; mm's seq |= 1; unlock
//!  invalidate():                           (look at the CPU's page tables)
//!    user lock; own seq = mm's seq; unlock
//!                                          user lock
//!                                            own seq != seq: retry
//!                                          unlock
//!  inv_end():
//!    lock; mm's seq++; deferred changes; unlock; wake
//! ```
//!
//! No barriers are needed beyond the locks: `read_retry` and `set_seq` happen under the user lock.

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    container_of,
    error::code::{
        EAGAIN,
        EINVAL,
        EOVERFLOW, //
    },
    ffi::c_ulong,
    mm::Mm,
    prelude::*,
    task::might_sleep,
    warn_on, //
};

use crate::{
    account,
    age,
    ffi,
    mm,
    mode,
    observe::{
        self,
        Wait, //
    },
    passes::FinishPasses,
    range::Range,
    seq::Seq,
    slots::{
        Claim,
        Key, //
    },
    subscriptions::{
        Locked,
        Subscriptions, //
    },
    wait::{
        has_sleeper,
        wait_event,
        wake_up_all, //
    },
    waiting::Waiting,
    warn_on_once, //
};

type Node = bindings::interval_tree_node;
type IntervalSub = bindings::mmu_interval_notifier;

/// Finds the subscription that a tree node belongs to.
///
/// # Safety
///
/// `node` must be null or the `interval_tree` of a valid subscription.
#[inline]
unsafe fn interval_sub(node: *mut Node) -> Option<NonNull<IntervalSub>> {
    let node = NonNull::new(node)?;
    // SAFETY: By this function's own requirements.
    NonNull::new(unsafe { container_of!(node.as_ptr(), IntervalSub, interval_tree) })
}

/// A running invalidation, and the subscriptions that it meets.
///
/// [`inv_end`] must end every one of them: the VM does it for a range that it has started.
///
/// # Invariants
///
/// If `at` is not `None`, the sequence is odd until this invalidation ends, so the tree does not
/// change and every node in it is valid.
struct Met<'a> {
    at: Option<NonNull<IntervalSub>>,
    began: bool,
    range: Range<'a>,
}

impl Iterator for Met<'_> {
    type Item = NonNull<IntervalSub>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if core::mem::replace(&mut self.began, true) {
            let at = self.at?;
            // SAFETY: By the type invariant `at` is in the tree, which does not change.
            self.at = unsafe {
                interval_sub(bindings::interval_tree_iter_next(
                    &raw mut (*at.as_ptr()).interval_tree,
                    self.range.start(),
                    self.range.last(),
                ))
            };
        }
        self.at
    }
}

/// Enters the range: it counts as active, and the tree is fixed if the range meets a subscription.
#[inline]
fn inv_start<'a>(subscriptions: &Subscriptions, range: Range<'a>) -> (Met<'a>, Seq) {
    let mut locked = subscriptions.lock();
    let active = locked.active_ranges();
    *active = active.wrapping_add(1);
    // SAFETY: The lock is held, so the tree does not change; what is in it is valid.
    let first = unsafe {
        interval_sub(bindings::interval_tree_iter_first(
            locked.itree(),
            range.start(),
            range.last(),
        ))
    };
    if first.is_some() {
        let begun = locked.seq().begun();
        locked.set_seq(begun);
    }
    // INVARIANT: If something was met, the sequence is odd, and stays so while this range counts.
    let met = Met {
        at: first,
        began: false,
        range,
    };
    (met, locked.seq())
}

/// Leaves a range. The last one out makes the deferred changes and wakes those who wait.
#[inline(always)]
pub(crate) fn inv_end(subscriptions: &Subscriptions) {
    let mut locked = subscriptions.lock();
    let active = locked.active_ranges();
    *active = active.wrapping_sub(1);
    if *active == 0 && locked.is_invalidating() {
        open_tree(subscriptions, locked);
    }
}

/// Ends the time in which the tree is fixed.
#[inline(never)]
fn open_tree(subscriptions: &Subscriptions, mut locked: Locked<'_>) {
    let ended = locked.seq().ended();
    locked.set_seq(ended);
    apply_deferred(&mut locked);
    // Who waits here is queued before it looks at the sequence under this lock. In C some look at
    // it without, so they are woken as C does. (A change of mode waits for an RCU grace period
    // before the first task is in C, hence for who has looked at the mode under the lock.)
    let queue = subscriptions.wait_queue();
    // SAFETY: The queue is initialised and lives as long as `subscriptions`.
    let sleepers = !mode::is_native() || unsafe { has_sleeper(queue) };
    drop(locked);
    if sleepers {
        // SAFETY: As above.
        unsafe { wake_up_all(queue) };
    }
}

/// Makes the tree changes that had to wait: what is not in the tree is to be inserted, what is in
/// it removed.
fn apply_deferred(locked: &mut Locked<'_>) {
    let tree = locked.itree();
    // SAFETY: The lock is held and the sequence is even, so list and tree may change. What is on
    // the deferred list is valid: its owner waits in `remove()`, or has not called it yet.
    unsafe {
        while let Some(item) = NonNull::new((*locked.deferred()).first) {
            let sub = container_of!(item.as_ptr(), IntervalSub, deferred_item);
            let node = &raw mut (*sub).interval_tree;
            let is_removed = is_in_tree(node);
            if is_removed {
                bindings::interval_tree_remove(node, tree);
            } else {
                bindings::interval_tree_insert(node, tree);
            }
            ffi::mmn_hlist_del(item.as_ptr());
            if !is_removed {
                (*sub).deferred_item.next = age::now();
            }
        }
    }
}

/// `!RB_EMPTY_NODE()`: a node outside any tree has itself as parent.
///
/// # Safety
///
/// `node` must be valid, and the tree that it may be in must not change meanwhile.
unsafe fn is_in_tree(node: *mut Node) -> bool {
    // SAFETY: By this function's own requirements.
    unsafe { (*node).rb.__rb_parent_color != (&raw const (*node).rb) as c_ulong }
}

/// `RB_CLEAR_NODE()`: marks a node as outside any tree.
///
/// The tree code leaves a removed node as it was; nobody asks about it again.
///
/// # Safety
///
/// `node` must be valid for writes and in no tree.
unsafe fn clear_node(node: *mut Node) {
    // SAFETY: By this function's own requirements.
    unsafe { (*node).rb.__rb_parent_color = (&raw const (*node).rb) as c_ulong };
}

/// Calls every subscription that a range meets, then their second passes.
///
/// # Errors
///
/// `EAGAIN` if a callback would have to sleep and the range is not blockable. The later ones are
/// not called then; the second passes are run all the same. The range is still active.
#[inline(never)]
fn call_met(met: Met<'_>, cur_seq: Seq) -> Result {
    if observe::is_on() {
        call_met_observed(met, cur_seq)
    } else {
        call_each::<false>(met, cur_seq)
    }
}

#[cold]
#[inline(never)]
fn call_met_observed(met: Met<'_>, cur_seq: Seq) -> Result {
    call_each::<true>(met, cur_seq)
}

#[inline(always)]
fn call_each<const OBSERVED: bool>(met: Met<'_>, cur_seq: Seq) -> Result {
    let range = met.range;
    let mut passes = FinishPasses::new();
    let mut result = Ok(());
    // For the watchdog; that the tree is fixed keeps what is met.
    let key = Key::intervals_of(range.mm());
    let seen = Claim::to_be_seen(key);
    for sub in met {
        // SAFETY: What is met is valid until the range ends; the table outlives it.
        let ops = unsafe { &*(*sub.as_ptr()).ops };
        let done = if let Some(invalidate_start) = ops.invalidate_start {
            let callback = invalidate_start as *const c_void;
            seen.note(callback);
            let mut finish = ptr::null_mut();
            let done = observe::call::<OBSERVED, _>(
                sub.as_ptr().cast(),
                // SAFETY: The driver's callback takes just these.
                || unsafe {
                    invalidate_start(sub.as_ptr(), range.as_ptr(), cur_seq.raw(), &mut finish)
                },
                |done, time| tell_of_invalidate(sub, range, callback, done, time),
            );
            if let (true, Some(finish)) = (done, NonNull::new(finish)) {
                // SAFETY: The driver keeps it until its second pass has been called.
                unsafe { passes.push(finish, sub) };
            }
            done
        } else if let Some(invalidate) = ops.invalidate {
            let callback = invalidate as *const c_void;
            seen.note(callback);
            observe::call::<OBSERVED, _>(
                sub.as_ptr().cast(),
                // SAFETY: The driver's callback takes just these.
                || unsafe { invalidate(sub.as_ptr(), range.as_ptr(), cur_seq.raw()) },
                |done, time| tell_of_invalidate(sub, range, callback, done, time),
            )
        } else {
            // `insert()` refuses such a table, C does not: better a warning than its null call.
            warn_on_once!(true);
            true
        };
        if !done {
            if warn_on!(range.blockable()) {
                continue;
            }
            result = Err(EAGAIN);
            break;
        }
    }
    passes.run::<OBSERVED>(range, &seen);
    result
}

/// Tells observers that a first pass has returned.
fn tell_of_invalidate(
    sub: NonNull<IntervalSub>,
    range: Range<'_>,
    callback: *const c_void,
    done: bool,
    time: u64,
) {
    let ret = if done { 0 } else { EAGAIN.to_errno() };
    // SAFETY: The range is valid, and the others are not looked into.
    unsafe { ffi::mmn_trace_invalidate(range.as_ptr(), sub.as_ptr().cast(), callback, ret, time) };
}

/// Starts an invalidation on the interval side.
///
/// # Errors
///
/// `EAGAIN` if the range is not blockable and a callback would have to sleep; the range is not
/// active then, and the caller must not end it.
///
/// Context: sleeps if the range is blockable.
#[inline(always)]
pub(crate) fn invalidate(subscriptions: &Subscriptions, range: Range<'_>) -> Result {
    let (met, seq) = inv_start(subscriptions, range);
    if met.at.is_none() {
        return Ok(());
    }
    let result = call_met(met, seq);
    if result.is_err() {
        leave_refused(subscriptions);
    }
    result
}

/// Leaves a range that a callback has refused.
#[cold]
#[inline(never)]
pub(crate) fn leave_refused(subscriptions: &Subscriptions) {
    inv_end(subscriptions);
}

/// Tells every interval subscription that the address space dies.
///
/// Context: sleeps.
pub(crate) fn release(subscriptions: &Subscriptions, mm: &Mm) {
    let range = Range::released(mm.as_raw());
    // SAFETY: The range lives on this stack; it is not empty, and `mm` has subscriptions.
    let range = unsafe { Range::from_raw(&range) };
    // Blockable, so a refusal has been warned about and passed over.
    let (met, seq) = inv_start(subscriptions, range);
    let _ = call_met(met, seq);
    inv_end(subscriptions);
}

/// Begins a read side: returns the subscription's sequence, once no invalidation of it runs.
///
/// What it returns may be out of date already; `mmu_interval_read_retry()` tells. There is no
/// loop here, so that the caller can bound its time.
///
/// Context: sleeps. Must not hold a lock that an `invalidate` callback takes.
///
/// # Safety
///
/// `sub` must have been inserted and not been removed, and its `mm` be pinned by that.
pub(crate) unsafe fn read_begin(sub: *mut IntervalSub) -> Seq {
    // SAFETY: By this function's own requirements.
    let subscriptions = unsafe { Subscriptions::of_subscribed((*sub).mm) };
    let seq;
    let is_invalidating;
    {
        let locked = subscriptions.lock();
        // Pairs with the `WRITE_ONCE()` of `mmu_interval_set_seq()`, which the driver calls
        // under its own lock only.
        //
        // SAFETY: By this function's own requirements.
        seq = Seq::from_raw(unsafe { ffi::read_once(&raw const (*sub).invalidate_seq) });
        is_invalidating = seq == locked.seq();
    }
    assert_may_wait();
    if is_invalidating {
        // SAFETY: By this function's own requirements.
        let _seen = Waiting::announce(Key::intervals_of(unsafe { (*sub).mm }));
        // SAFETY: As above.
        let _told = tell_of_wait(unsafe { (*sub).mm });
        // `seq` is odd, as all that a subscription is ever given; the `mm`'s is even whenever it
        // rests, so that even a wrap-around ends this wait.
        //
        // SAFETY: The queue is initialised and lives as long as `subscriptions`.
        unsafe {
            wait_event(subscriptions.wait_queue(), || {
                subscriptions.lock().seq() != seq
            })
        };
    }
    seq
}

/// Tells observers that the current task waits, until drop, for invalidations of `mm` to end.
fn tell_of_wait(mm: *mut bindings::mm_struct) -> Option<Wait> {
    let key = Key::intervals_of(mm);
    Wait::begin(key).inspect(|_| observe::tell_of_readers(key))
}

/// Tells lockdep that the caller may wait for an invalidation.
fn assert_may_wait() {
    #[cfg(CONFIG_LOCKDEP)]
    // SAFETY: Taken and released in one breath.
    unsafe {
        ffi::mmn_range_start_map_acquire();
        ffi::mmn_range_start_map_release();
    }
}

/// Inserts a subscription for `[start, start + length)`.
///
/// If an invalidation has fixed the tree, the insertion is deferred to its end. Either way the
/// driver must go through [`read_begin`] before it uses a page.
///
/// # Errors
///
/// - `EOVERFLOW` if `length` is zero or the range goes beyond the last address.
/// - `EINVAL` if the caller holds no `mm_users`, or if `ops` has no first pass (which C calls at
///   the first invalidation all the same); both are warned about.
///
/// Context: takes the state's spinlock.
///
/// # Safety
///
/// `sub` must be valid for writes, not inserted, and stay valid until it has been removed; `ops`
/// must outlive it.
pub(crate) unsafe fn insert(
    sub: *mut IntervalSub,
    mm: &Mm,
    subscriptions: &Subscriptions,
    start: c_ulong,
    length: c_ulong,
    ops: *const bindings::mmu_interval_notifier_ops,
) -> Result {
    // SAFETY: By this function's own requirements; nobody else can reach `sub` yet.
    let node = unsafe {
        (*sub).mm = mm.as_raw();
        (*sub).ops = ops;
        clear_node(&raw mut (*sub).interval_tree);
        (*sub).interval_tree.start = start;
        // Until the item is needed for what it is.
        (*sub).deferred_item.next = age::now();
        &raw mut (*sub).interval_tree
    };
    let last = length
        .checked_sub(1)
        .and_then(|more| start.checked_add(more))
        .ok_or(EOVERFLOW)?;
    // SAFETY: As above.
    unsafe { (*node).last = last };
    if warn_on!(mm::users(mm) <= 0) {
        return Err(EINVAL);
    }
    // SAFETY: By this function's own requirements.
    let first_pass = unsafe { (*ops).invalidate.is_some() || (*ops).invalidate_start.is_some() };
    if warn_on_once!(!first_pass) {
        return Err(EINVAL);
    }
    // `remove()` drops it.
    mm::pin(mm);

    let mut locked = subscriptions.lock();
    let seq = if *locked.active_ranges() == 0 {
        warn_on!(locked.is_invalidating());
        // SAFETY: The lock is held and the tree not fixed; `node` is in no tree.
        unsafe { bindings::interval_tree_insert(node, locked.itree()) };
        locked.seq().never_begun()
    } else {
        // Which ranges are being invalidated is not known; this one must be assumed to be.
        if locked.is_invalidating() {
            // SAFETY: The lock is held; the item is on no list.
            unsafe {
                ffi::mmn_hlist_add_head(&raw mut (*sub).deferred_item, locked.deferred());
            }
        } else {
            let begun = locked.seq().begun();
            locked.set_seq(begun);
            // SAFETY: The lock is held. Those that run have met nothing, so none walks the tree.
            unsafe { bindings::interval_tree_insert(node, locked.itree()) };
        }
        locked.seq()
    };
    // SAFETY: By this function's own requirements; from now on callbacks may write it too.
    unsafe { ffi::write_once(&raw mut (*sub).invalidate_seq, seq.raw()) };
    drop(locked);
    if observe::is_on() {
        // SAFETY: Nobody removes it before the caller has returned.
        unsafe { observe::tell_of_interval(ffi::mmn_trace_insert, sub) };
    }
    Ok(())
}

/// Removes a subscription. Once this returns, no callback of it runs or will run.
///
/// Context: sleeps, until running invalidations end if one has fixed the tree. Must not be called
/// from a callback, nor with a lock held that a callback takes.
///
/// # Safety
///
/// `sub` must have been inserted, and not be removed by anyone else.
pub(crate) unsafe fn remove(sub: *mut IntervalSub) {
    // SAFETY: By this function's own requirements.
    let (mm, node) = unsafe { ((*sub).mm, &raw mut (*sub).interval_tree) };
    // SAFETY: `insert()` found the state published and pinned the `mm`.
    let subscriptions = unsafe { Subscriptions::of_subscribed(mm) };
    might_sleep();

    let wait_for;
    {
        let mut locked = subscriptions.lock();
        // SAFETY: The lock is held, so that neither tree nor deferred list change meanwhile.
        unsafe {
            if !locked.is_invalidating() {
                wait_for = None;
                if !warn_on!(!is_in_tree(node)) {
                    bindings::interval_tree_remove(node, locked.itree());
                }
            } else if is_in_tree(node) {
                ffi::mmn_hlist_add_head(&raw mut (*sub).deferred_item, locked.deferred());
                wait_for = Some(locked.seq());
            } else {
                // Its insertion is still deferred: no callback has ever seen it.
                ffi::mmn_hlist_del(&raw mut (*sub).deferred_item);
                wait_for = None;
            }
        }
    }
    assert_may_wait();
    if let Some(seq) = wait_for {
        let _seen = Waiting::announce(Key::intervals_of(mm));
        let _told = tell_of_wait(mm);
        // The change of the sequence and the removal from the tree are one critical section: look
        // at it under the same lock, or `sub` may be freed in the middle of that section.
        //
        // SAFETY: The queue is initialised and lives as long as `subscriptions`.
        unsafe {
            wait_event(subscriptions.wait_queue(), || {
                subscriptions.lock().seq() != seq
            })
        };
    }
    if observe::is_on() {
        account::forget(sub.cast());
        // SAFETY: The caller keeps it, and the pin its `mm`.
        unsafe { observe::tell_of_interval(ffi::mmn_trace_remove, sub) };
    }
    // SAFETY: Gives up the pin that `insert()` took; the state is not used below.
    unsafe { mm::unpin(NonNull::new_unchecked(mm)) };
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/itree.rs"]
mod tests;
