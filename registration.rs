// SPDX-License-Identifier: GPL-2.0

//! The life of a subscription to a whole address space: register or get, unregister or put.
//!
//! A subscription pins `mm_count`. It is unlinked under the state's spinlock, and its memory is the
//! driver's again after a grace period: unregister waits for it, put has `free_notifier` called.

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    error::{
        code::{
            EINVAL,
            EOVERFLOW, //
        },
        from_err_ptr, //
    },
    mm::Mm,
    prelude::*,
    warn_on, //
};

use crate::{
    account,
    age,
    domain::{
        self,
        Domain,
        Section, //
    },
    ffi,
    hlist,
    mm::{
        self,
        WriteLocked, //
    },
    mm_lock::MmAllLocks,
    mode::{
        self,
        Gate, //
    },
    monitor,
    observe,
    pending,
    srcu,
    subscriptions::{
        Subscription,
        Subscriptions, //
    },
    warn_on_once, //
};

type Notifier = bindings::mmu_notifier;
type Ops = bindings::mmu_notifier_ops;

/// What to attach to an address space.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// The state and its interval tree, for interval subscriptions to come.
    Itree,
    /// A subscription to the whole.
    Whole(NonNull<Notifier>),
}

/// Attaches a subscription, creating the state at the first.
///
/// No invalidation runs at the moment of the attachment, by [`MmAllLocks`] or by
/// [`attach_while_idle`].
///
/// # Errors
///
/// - `EINVAL` if the table of operations mixes the range model and the TLB-flush model, or if the
///   caller holds no `mm_users` (where C stops the machine); both are warned about.
/// - `ENOMEM` if the state cannot be allocated.
/// - `EINTR` if a signal is pending.
///
/// Nothing has changed then.
///
/// Context: sleeps. `mmap_lock` held for writing, no other lock of the VM.
///
/// # Safety
///
/// The caller holds `mm_users`. A subscription must be valid with its `ops` set, on no list, and
/// stay valid until it has been unregistered or freed.
pub(crate) unsafe fn register(what: What, mm: WriteLocked<'_>) -> Result {
    if warn_on!(mm::users(mm.mm()) <= 0) {
        return Err(EINVAL);
    }
    if let What::Whole(subscription) = what {
        // SAFETY: By this function's own requirements.
        let ops = unsafe { &*(*subscription.as_ptr()).ops };
        let ranges = ops.invalidate_range_start.is_some() || ops.invalidate_range_end.is_some();
        if warn_on_once!(ops.arch_invalidate_secondary_tlbs.is_some() && ranges) {
            return Err(EINVAL);
        }
    }

    if let (What::Whole(subscription), Some(subscriptions)) = (what, Subscriptions::of(mm.mm())) {
        // SAFETY: By this function's own requirements.
        if unsafe { attach_while_idle(subscription, subscriptions, mm) } {
            tell_of_registration(what);
            return Ok(());
        }
    }

    // Allocating takes locks that `MmAllLocks` may hold. That the state is missing stays true,
    // since it is only published with the `mmap_lock` held for writing.
    let new = match Subscriptions::of(mm.mm()) {
        Some(_) => None,
        None => Some(Subscriptions::new()?),
    };
    let locks = MmAllLocks::take(mm)?;
    let subscriptions = match new {
        Some(new) => Subscriptions::publish(new, &locks),
        // SAFETY: Found above, and it stays.
        None => unsafe { Subscriptions::of_subscribed(mm.mm().as_raw()) },
    };
    match what {
        What::Itree => subscriptions.enable_itree(&locks),
        What::Whole(subscription) => {
            // SAFETY: By this function's own requirements.
            unsafe {
                set_up(subscription, mm);
                subscriptions.lock().link(subscription, &locks);
            }
        }
    }
    drop(locks);
    warn_on!(mm::users(mm.mm()) <= 0);
    tell_of_registration(what);
    Ok(())
}

/// Tells observers of a subscription that was attached.
#[inline(always)]
fn tell_of_registration(what: What) {
    if let (true, What::Whole(subscription)) = (observe::is_on(), what) {
        // SAFETY: Nobody detaches it before the caller has returned to who registers it.
        unsafe { observe::tell_of(ffi::mmn_trace_register, subscription.as_ptr()) };
    }
}

/// Makes a subscription one to `mm` that is held once.
///
/// # Safety
///
/// As for [`register`]; nobody else can reach it yet.
unsafe fn set_up(subscription: NonNull<Notifier>, mm: WriteLocked<'_>) {
    // `unregister()` or [`pending`] drops it.
    mm::pin(mm.mm());
    // SAFETY: By this function's own requirements.
    unsafe {
        (*subscription.as_ptr()).mm = mm.mm().as_raw();
        (*subscription.as_ptr()).users = 1;
        // Until the head is needed for what it is.
        (*subscription.as_ptr()).rcu.next = age::now();
    }
}

/// Attaches a subscription without taking the locks of the address space, if it can be seen that
/// no invalidation runs; else does nothing and returns false.
///
/// Where the interval side is on, invalidations are counted under the state's spinlock. While none
/// is, and the spinlock keeps the next from starting, the subscription can be linked: the next will
/// find it. An end leaves the count only after it has walked the list (in C before, hence native
/// mode alone), so none is on its way to the subscription.
///
/// # Safety
///
/// As for [`register`].
unsafe fn attach_while_idle(
    subscription: NonNull<Notifier>,
    subscriptions: &Subscriptions,
    mm: WriteLocked<'_>,
) -> bool {
    let gate = Gate::enter();
    if !gate.is_native() || !subscriptions.has_itree() {
        return false;
    }
    let mut locked = subscriptions.lock();
    if *locked.active_ranges() != 0 {
        return false;
    }
    // SAFETY: By this function's own requirements; no invalidation runs.
    unsafe {
        set_up(subscription, mm);
        locked.link_alone(subscription);
    }
    true
}

/// The state of `mm` with its interval side turned on, creating both if need be.
///
/// # Errors
///
/// As for [`register`], which `register_itree` is to call.
pub(crate) fn with_itree(
    mm: &Mm,
    register_itree: impl FnOnce() -> Result,
) -> Result<&Subscriptions> {
    match Subscriptions::of(mm) {
        Some(subscriptions) if subscriptions.has_itree() => Ok(subscriptions),
        _ => {
            register_itree()?;
            Subscriptions::of(mm).ok_or(EINVAL)
        }
    }
}

/// Detaches a subscription. Once this returns, no callback of it runs or will run.
///
/// `release` is called here unless the address space has died first; by both, if they meet.
///
/// Context: sleeps. Must not be called from a callback.
///
/// # Safety
///
/// `subscription` must have been registered with `mm`, and be detached by nobody else. Unless the
/// driver pins `mm` itself, it must not use it afterwards.
#[inline(always)]
pub(crate) unsafe fn unregister(subscription: NonNull<Notifier>, mm: NonNull<bindings::mm_struct>) {
    // SAFETY: By this function's own requirements the registration still pins `mm`. A driver that
    // breaks them is warned about where the memory has not been used again, as in C.
    let pinned = || mm::count(unsafe { Mm::from_raw(mm.as_ptr()) }) > 0;
    if warn_on!(!pinned()) {
        return;
    }
    // SAFETY: The registration's pin keeps `mm` until the end of this function.
    let (subscriptions, mm_ref) = unsafe {
        (
            Subscriptions::of_subscribed(mm.as_ptr()),
            Mm::from_raw(mm.as_ptr()),
        )
    };
    let domain = Domain::of(mm.as_ptr());
    // Only `release` on exit unlinks it beside us. If that has happened, it has called the
    // callback, and the grace period below waits for it.
    //
    // SAFETY: By this function's own requirements.
    if unsafe { is_linked(subscription) } {
        // SAFETY: By this function's own requirements it is of `mm`, and the driver keeps it and
        // its table until this returns; the sections are of the domain of `mm`.
        unsafe {
            match domain.read_plain() {
                Some(section) => release_within::<false>(subscription, mm_ref, section),
                None => release_another_way(subscription, mm_ref, domain),
            }
        }
        // SAFETY: On this list, or on none if exit has been here.
        unsafe { subscriptions.lock().unlink(subscription) };
    }
    let unlinked = if observe::is_on() {
        domain.synchronize_observed()
    } else {
        domain.synchronize()
    };
    if warn_on!(!pinned()) {
        return;
    }
    // Whatever was so before: who has begun to observe may have counted calls since.
    if observe::is_on() {
        account::forget(subscription.as_ptr().cast());
        // SAFETY: The caller keeps it, and the pin its `mm`.
        unsafe { observe::tell_of(ffi::mmn_trace_unregister, subscription.as_ptr()) };
    }
    // SAFETY: Gives up the registration's pin; nothing uses `mm` below.
    unsafe { mm::unpin_after(unlinked, mm) };
}

/// Calls `release` of a subscription that leaves, and ends the section. Exit frees no page before,
/// unless it has called `release` itself.
///
/// # Safety
///
/// `subscription` must be of `mm`, and stay valid with its table of operations while the section,
/// which must be of the domain of `mm`, lasts.
#[inline(always)]
unsafe fn release_within<const OBSERVED: bool>(
    subscription: NonNull<Notifier>,
    mm: &Mm,
    section: Section,
) {
    // It may call nothing, and is not to be blamed for what another has called.
    section.note(ptr::null());
    // SAFETY: By this function's own requirements.
    let subscription = unsafe { Subscription::held(subscription, &section) };
    hlist::call_release::<OBSERVED>(subscription, mm, &section);
}

/// As [`release_within`], where there is more to heed than the section.
///
/// # Safety
///
/// As for [`release_within`], with a section of `domain`.
#[cold]
#[inline(never)]
unsafe fn release_another_way(subscription: NonNull<Notifier>, mm: &Mm, domain: Domain) {
    // SAFETY: By this function's own requirements.
    unsafe { release_within::<true>(subscription, mm, domain.read()) };
}

/// Whether a subscription is on its list.
///
/// # Safety
///
/// `subscription` must be valid.
unsafe fn is_linked(subscription: NonNull<Notifier>) -> bool {
    // SAFETY: By this function's own requirements; links are written by untorn stores.
    !unsafe { ffi::read_once(&raw const (*subscription.as_ptr()).hlist.pprev) }.is_null()
}

/// The one subscription of `mm` with this table of operations; allocated if there is none.
///
/// # Errors
///
/// - `EOVERFLOW` if it is held as often as can be counted.
/// - What `alloc_notifier` returned.
/// - As for [`register`]; the new subscription has been freed then.
///
/// Context: sleeps. `mmap_lock` held for writing, no other lock of the VM.
///
/// # Safety
///
/// The caller holds `mm_users`. `ops` must have both `alloc_notifier` and `free_notifier`, and
/// outlive what it allocates.
pub(crate) unsafe fn get(ops: *const Ops, mm: WriteLocked<'_>) -> Result<NonNull<Notifier>> {
    if let Some(subscriptions) = Subscriptions::of(mm.mm()) {
        let locked = subscriptions.lock();
        if let Some(found) = locked.find(ops) {
            // SAFETY: Linked, hence valid; the count is guarded by the lock.
            unsafe {
                let users = &raw mut (*found.as_ptr()).users;
                users.write(users.read().checked_add(1).ok_or(EOVERFLOW)?);
            }
            return Ok(found);
        }
    }

    // SAFETY: By this function's own requirements.
    let (alloc, free) = unsafe { ((*ops).alloc_notifier, (*ops).free_notifier) };
    let (Some(alloc), Some(free)) = (alloc, free) else {
        warn_on_once!(true);
        return Err(EINVAL);
    };
    // SAFETY: The driver's callback takes just this.
    let subscription = from_err_ptr(unsafe { alloc(mm.mm().as_raw()) })?;
    let subscription = NonNull::new(subscription).ok_or(ENOMEM)?;
    // SAFETY: Fresh from the driver; nobody else can reach it. It stays until freed.
    unsafe {
        (*subscription.as_ptr()).ops = ops;
        register(What::Whole(subscription), mm)
            // SAFETY: It has not been linked.
            .inspect_err(|_| free(subscription.as_ptr()))?;
    }
    Ok(subscription)
}

/// Gives up one hold on a subscription; the last one detaches it and has it freed.
///
/// `release` is not called. May be called from `release`.
///
/// Context: any but interrupts; never sleeps.
///
/// # Safety
///
/// `subscription` must come from [`get`], and the caller give up one hold on it.
pub(crate) unsafe fn put(subscription: NonNull<Notifier>) {
    // SAFETY: Held, hence valid, and pinning its `mm`.
    let subscriptions = unsafe { Subscriptions::of_subscribed((*subscription.as_ptr()).mm) };
    {
        let mut locked = subscriptions.lock();
        // SAFETY: As above; the count is guarded by the lock.
        let left = unsafe {
            let users = &raw mut (*subscription.as_ptr()).users;
            let Some(left) = users.read().checked_sub(1) else {
                warn_on!(true);
                return;
            };
            users.write(left);
            left
        };
        if left != 0 {
            return;
        }
        // SAFETY: On this list, or on none if the address space has died.
        unsafe { locked.unlink(subscription) };
    }
    if observe::is_on() {
        // SAFETY: It is freed after what follows.
        unsafe { observe::tell_of(ffi::mmn_trace_put, subscription.as_ptr()) };
    }
    // SAFETY: Unlinked, and the last hold was the caller's.
    unsafe { pending::free_later(subscription) };
}

/// Waits until everything that was put has been freed, and no callback of it runs.
///
/// C waits for a grace period only, after which `free_notifier` may still be to come, in a module
/// that is gone. In native mode a reader is waited for only if something was put that it may have.
///
/// Context: sleeps. Must not be called from a callback.
pub(crate) fn synchronize() {
    domain::assert_may_wait();
    monitor::barrier();
    // For what was put while the module was compatible.
    let global = srcu::Global::get();
    if !mode::is_native() {
        global.synchronize();
    }
    global.barrier();
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/registration.rs"]
pub(crate) mod tests;
