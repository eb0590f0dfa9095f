// SPDX-License-Identifier: GPL-2.0

//! The MMU-notifier core: tells those who map other processes' memory when it changes.
//!
//! Secondary MMUs (KVM's shadow pages, devices that share a process's address space, RDMA, XPMEM)
//! hold translations that the CPU's page tables imply. Before the VM changes those, it calls this
//! core, which calls the drivers that have subscribed to the address space.
//!
//! This crate serves the 18 functions of `mm/mmu_notifier.c`, with the same names, signatures,
//! semantics and contexts, on the same state: in its place in a kernel that was built with it, or
//! as a module, to which livepatch redirects the kernel's calls.
//! `include/linux/mmu_notifier.h` stays the interface, and its inline functions stay the fast
//! path: a process without subscriptions never gets here.
//!
//! ```text
//!  VM ------> entry points <------ drivers
//!                  |
//!      +-----------+------------+
//!    hlist       itree     registration --> mm_lock --> mode
//!      +-----------+------------+              |
//!            subscriptions   pending      lock, smallest
//!                  |            |
//!                 seq         domain <-- monitor --> watchdog
//!                               |
//!                         slots, srcu
//! ```
//!
//! Beside all of them [`observe`] tells whoever wants to know what they do, and [`debugfs`] shows
//! what there is.
//!
//! # Locks, outermost first
//!
//! 1. `mmap_lock` of the `mm`, for writing, to attach a subscription;
//! 2. the gate of [`mode`], for reading, over 3;
//! 3. all locks of the `mm`, by [`mm_lock`], to publish the state or to link a subscription while
//!    invalidations may run;
//! 4. the spinlock of the state, or that of a bucket of [`account`]: leaves.
//!
//! Callbacks run under whatever the VM holds, and in a section of the `mm`'s [`domain`] (list side)
//! or while the interval tree is fixed (interval side).

use core::ptr::NonNull;
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_ulong, //
    },
    mm::Mm,
    prelude::*, //
};

// Only debugfs switches it on.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
mod account;
mod age;
#[cfg(not(MODULE))]
mod builtin;
#[cfg_attr(not(CONFIG_DEBUG_FS), path = "hidden.rs")]
mod debugfs;
mod domain;
mod ffi;
#[cfg(CONFIG_DEBUG_FS)]
mod fields;
#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/fixture.rs"]
mod fixture;
mod hlist;
mod itree;
mod lock;
mod mm;
mod mm_lock;
// A kernel with the core built in is native for ever, but where tests change the mode.
#[cfg_attr(not(any(MODULE, CONFIG_MMU_NOTIFIER_KUNIT_TEST)), path = "native.rs")]
mod mode;
mod monitor;
mod observe;
mod passes;
mod pending;
mod range;
mod registration;
mod seq;
mod slots;
mod smallest;
mod srcu;
mod subscriptions;
#[cfg(CONFIG_DEBUG_FS)]
mod survey;
mod ticks;
mod wait;
mod waiting;
mod watchdog;

use mm::WriteLocked;
use range::Range;
use registration::What;
use subscriptions::Subscriptions;

/// What only the module has. (In a macro, or rustfmt would look for the files in a kernel's tree.)
macro_rules! of_the_module {
    ($($item:item)*) => {$(
        #[cfg(MODULE)]
        $item
    )*};
}

of_the_module! {
    mod btf;
    mod layout;
    mod takeover;

    module! {
        type: takeover::Takeover,
        name: "mmu_notifier_rust",
        authors: ["The mmu_notifier_rust developers"],
        description: "MMU-notifier core in Rust, replacing mm/mmu_notifier.c of the running kernel",
        license: "GPL",
    }
}

/// What the kernel crate's `pr_*!()` put in front.
#[cfg(not(MODULE))]
const __LOG_PREFIX: &[u8] = b"mmu_notifier_rust\0";

/// `WARN_ON_ONCE()`: as [`kernel::warn_on!`], the first time that the condition holds.
macro_rules! warn_on_once {
    ($cond:expr) => {{
        static WARNED: kernel::sync::atomic::Atomic<bool> =
            kernel::sync::atomic::Atomic::<bool>::new(false);
        let cond = $cond;
        if cond && !WARNED.xchg(true, kernel::sync::atomic::ordering::Relaxed) {
            kernel::warn_on!(true);
        }
        cond
    }};
}
pub(crate) use warn_on_once;

/// Defines entry points.
///
/// Each has the signature that `include/linux/mmu_notifier.h` declares under its name, checked by
/// the compiler. Built in, that is its symbol; the module's is `rust_<name>`, so that a backtrace
/// tells the two cores apart.
///
/// No entry point may end in a jump to another function: livepatch finds a task inside the module
/// by the entry point's frame on its stack, and so does whoever reads the stack of a task that
/// waits. The empty assembly after the body keeps the compiler from making its last call a jump.
macro_rules! entry_points {
    ($(
        $(#[$meta:meta])*
        unsafe fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)?
            as $symbol:literal $body:block
    )*) => {$(
        const _: () = {
            // Both branches must have one type.
            if true {
                bindings::$name
            } else {
                $name
            };
        };

        $(#[$meta])*
        #[cfg_attr(MODULE, export_name = $symbol)]
        #[cfg_attr(not(MODULE), no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $ret)? {
            let result = $body;
            // SAFETY: No instructions.
            unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
            result
        }
    )*};
}

/// An address space that has subscriptions, and their state.
///
/// # Safety
///
/// `mm` must be valid for `'a` and its state published.
#[inline(always)]
unsafe fn subscribed<'a>(mm: *mut bindings::mm_struct) -> (&'a Subscriptions, &'a Mm) {
    // SAFETY: By this function's own requirements.
    unsafe { (Subscriptions::of_subscribed(mm), Mm::from_raw(mm)) }
}

/// Ends the interval side of a range that the list has refused, which the VM does not end.
#[cold]
#[inline(never)]
fn end_intervals_of_refused(range: Range<'_>) {
    // SAFETY: The VM calls for an `mm` with subscriptions only.
    let subscriptions = unsafe { Subscriptions::of_subscribed(range.mm()) };
    // As at the start, by what is said there.
    if subscriptions.has_itree() {
        itree::leave_refused(subscriptions);
    }
}

/// A result as C returns it.
fn to_errno(result: Result) -> c_int {
    result.map_or_else(|error| error.to_errno(), |()| 0)
}

// Called by the VM, through the inline functions of the header, for an `mm` with subscriptions.
entry_points! {
    /// The address space dies: every subscriber drops what it has, for ever.
    ///
    /// Context: `exit_mmap()`; sleeps.
    ///
    /// # Safety
    ///
    /// `mm` must have subscriptions, and `mm_users` be zero.
    unsafe fn __mmu_notifier_release(
        mm: *mut bindings::mm_struct,
    ) as "rust___mmu_notifier_release" {
        // SAFETY: By this function's own requirements.
        let (subscriptions, mm) = unsafe { subscribed(mm) };
        if subscriptions.has_itree() {
            itree::release(subscriptions, mm);
        }
        if !subscriptions.list_is_empty() {
            hlist::release(subscriptions, mm);
        }
    }

    /// Whether a secondary MMU has used `[start, end)`; all forget it and flush their TLBs.
    ///
    /// Context: atomic.
    ///
    /// # Safety
    ///
    /// `mm` must have subscriptions.
    unsafe fn __mmu_notifier_clear_flush_young(
        mm: *mut bindings::mm_struct,
        start: c_ulong,
        end: c_ulong,
    ) -> bool as "rust___mmu_notifier_clear_flush_young" {
        // SAFETY: By this function's own requirements.
        let (subscriptions, mm) = unsafe { subscribed(mm) };
        hlist::clear_flush_young(subscriptions, mm, start, end)
    }

    /// As [`__mmu_notifier_clear_flush_young`], but TLBs need not be flushed.
    ///
    /// Context: atomic.
    ///
    /// # Safety
    ///
    /// `mm` must have subscriptions.
    unsafe fn __mmu_notifier_clear_young(
        mm: *mut bindings::mm_struct,
        start: c_ulong,
        end: c_ulong,
    ) -> bool as "rust___mmu_notifier_clear_young" {
        // SAFETY: By this function's own requirements.
        let (subscriptions, mm) = unsafe { subscribed(mm) };
        hlist::clear_young(subscriptions, mm, start, end)
    }

    /// Whether a secondary MMU has used the page at `address`; none forgets.
    ///
    /// Context: atomic.
    ///
    /// # Safety
    ///
    /// `mm` must have subscriptions.
    unsafe fn __mmu_notifier_test_young(mm: *mut bindings::mm_struct, address: c_ulong) -> bool
        as "rust___mmu_notifier_test_young"
    {
        // SAFETY: By this function's own requirements.
        let (subscriptions, mm) = unsafe { subscribed(mm) };
        hlist::test_young(subscriptions, mm, address)
    }

    /// The VM is about to change the page tables of the range: nobody may use or make a secondary
    /// translation of it from here until the end.
    ///
    /// Returns 0, or `-EAGAIN` if the range is not blockable and a callback would have to sleep;
    /// the range must not be changed nor ended then. What a callback has against a range that is
    /// blockable is warned about, and the range goes on.
    ///
    /// Context: sleeps if the range is blockable. `mmap_lock` or a reverse-map lock held.
    ///
    /// # Safety
    ///
    /// `range` must be valid and not empty, and its `mm` have subscriptions.
    unsafe fn __mmu_notifier_invalidate_range_start(
        range: *mut bindings::mmu_notifier_range,
    ) -> c_int as "rust___mmu_notifier_invalidate_range_start" {
        // SAFETY: By this function's own requirements.
        let range = unsafe { Range::from_raw(range) };
        // SAFETY: As above.
        let subscriptions = unsafe { Subscriptions::of_subscribed(range.mm()) };
        // It is set under all of the `mm`'s locks, of which the VM holds one from here to the end
        // of the range: that the interval side is ended if and only if it was started rests on it.
        let itree = if subscriptions.has_itree() {
            itree::invalidate(subscriptions, range)
        } else {
            Ok(())
        };
        match itree {
            Err(error) => error.to_errno(),
            Ok(()) if subscriptions.list_is_empty() => 0,
            Ok(()) => {
                let refused = hlist::invalidate_range_start(subscriptions, range);
                if refused != 0 {
                    end_intervals_of_refused(range);
                }
                refused
            }
        }
    }

    /// The VM has changed the page tables and freed what it had to.
    ///
    /// Context: sleeps if the range is blockable. `mmap_lock` or a reverse-map lock held.
    ///
    /// # Safety
    ///
    /// `range` must be one whose start succeeded and that has not been ended.
    unsafe fn __mmu_notifier_invalidate_range_end(range: *mut bindings::mmu_notifier_range)
        as "rust___mmu_notifier_invalidate_range_end"
    {
        // SAFETY: By this function's own requirements.
        let range = unsafe { Range::from_raw(range) };
        // SAFETY: As above.
        let subscriptions = unsafe { Subscriptions::of_subscribed(range.mm()) };
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: Released below.
        unsafe {
            ffi::mmn_range_start_map_acquire()
        };
        // The list first: `registration` takes a range that is not counted for one that is over.
        if !subscriptions.list_is_empty() {
            hlist::invalidate_range_end(subscriptions, range);
        }
        if subscriptions.has_itree() {
            itree::inv_end(subscriptions);
        }
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: Acquired above.
        unsafe {
            ffi::mmn_range_start_map_release()
        };
    }

    /// The CPU's TLB is being flushed for `[start, end)`: so must be TLBs that share its tables.
    ///
    /// Context: atomic; a page-table lock may be held.
    ///
    /// # Safety
    ///
    /// `mm` must have subscriptions.
    unsafe fn __mmu_notifier_arch_invalidate_secondary_tlbs(
        mm: *mut bindings::mm_struct,
        start: c_ulong,
        end: c_ulong,
    ) as "rust___mmu_notifier_arch_invalidate_secondary_tlbs" {
        // SAFETY: By this function's own requirements.
        let (subscriptions, mm) = unsafe { subscribed(mm) };
        hlist::arch_invalidate_secondary_tlbs(subscriptions, mm, start, end);
    }

    /// The last pin of `mm` is gone.
    ///
    /// Context: `__mmdrop()`; may be atomic.
    ///
    /// # Safety
    ///
    /// `mm` must have had subscriptions, and `mm_count` be zero.
    unsafe fn __mmu_notifier_subscriptions_destroy(mm: *mut bindings::mm_struct)
        as "rust___mmu_notifier_subscriptions_destroy"
    {
        // SAFETY: By this function's own requirements.
        unsafe { Subscriptions::destroy(mm) }
    }
}

// Called by drivers.
entry_points! {
    /// Registers a subscription to `mm`, whose `mmap_lock` the caller holds for writing. Without a
    /// subscription, prepares `mm` for interval subscriptions.
    ///
    /// Returns 0, `-EINVAL`, `-ENOMEM` or `-EINTR`; see [`registration::register`].
    ///
    /// Context: sleeps. `mmap_lock` held for writing.
    ///
    /// # Safety
    ///
    /// As for [`registration::register`].
    unsafe fn __mmu_notifier_register(
        subscription: *mut bindings::mmu_notifier,
        mm: *mut bindings::mm_struct,
    ) -> c_int as "rust___mmu_notifier_register" {
        // SAFETY: The caller holds `mm_users`, and the lock.
        to_errno(unsafe {
            let what = NonNull::new(subscription).map_or(What::Itree, What::Whole);
            registration::register(what, WriteLocked::assert(Mm::from_raw(mm)))
        })
    }

    /// Registers a subscription to `mm`.
    ///
    /// Returns 0, `-EINVAL`, `-ENOMEM` or `-EINTR`; see [`registration::register`].
    ///
    /// Context: sleeps. No lock of the VM held.
    ///
    /// # Safety
    ///
    /// As for [`registration::register`].
    unsafe fn mmu_notifier_register(
        subscription: *mut bindings::mmu_notifier,
        mm: *mut bindings::mm_struct,
    ) -> c_int as "rust_mmu_notifier_register" {
        let what = NonNull::new(subscription).map_or(What::Itree, What::Whole);
        // SAFETY: The caller holds `mm_users`.
        let mm = unsafe { Mm::from_raw(mm) };
        // SAFETY: By this function's own requirements.
        to_errno(mm::with_write_lock(mm, |mm| unsafe { registration::register(what, mm) }))
    }

    /// Unregisters a subscription; see [`registration::unregister`].
    ///
    /// Context: sleeps. Not from a callback.
    ///
    /// # Safety
    ///
    /// As for [`registration::unregister`].
    unsafe fn mmu_notifier_unregister(
        subscription: *mut bindings::mmu_notifier,
        mm: *mut bindings::mm_struct,
    ) as "rust_mmu_notifier_unregister" {
        // SAFETY: By this function's own requirements; neither is null.
        unsafe {
            registration::unregister(
                NonNull::new_unchecked(subscription),
                NonNull::new_unchecked(mm),
            )
        }
    }

    /// The one subscription of `mm` with the table `ops`, or an error pointer; see
    /// [`registration::get`].
    ///
    /// Context: sleeps. `mmap_lock` held for writing.
    ///
    /// # Safety
    ///
    /// As for [`registration::get`].
    unsafe fn mmu_notifier_get_locked(
        ops: *const bindings::mmu_notifier_ops,
        mm: *mut bindings::mm_struct,
    ) -> *mut bindings::mmu_notifier as "rust_mmu_notifier_get_locked" {
        // SAFETY: The caller holds `mm_users`, and the lock.
        match unsafe { registration::get(ops, WriteLocked::assert(Mm::from_raw(mm))) } {
            Ok(subscription) => subscription.as_ptr(),
            Err(error) => error.to_ptr(),
        }
    }

    /// Gives up one hold on a subscription; see [`registration::put`].
    ///
    /// Context: any but interrupts.
    ///
    /// # Safety
    ///
    /// As for [`registration::put`].
    unsafe fn mmu_notifier_put(
        subscription: *mut bindings::mmu_notifier,
    ) as "rust_mmu_notifier_put" {
        // SAFETY: By this function's own requirements; it is not null.
        unsafe { registration::put(NonNull::new_unchecked(subscription)) }
    }

    /// Waits until all that was put is freed; see [`registration::synchronize`].
    ///
    /// Context: sleeps. Not from a callback.
    ///
    /// # Safety
    ///
    /// No requirements beyond the context.
    unsafe fn mmu_notifier_synchronize() as "rust_mmu_notifier_synchronize" {
        registration::synchronize()
    }

    /// Inserts an interval subscription; see [`itree::insert`].
    ///
    /// Returns 0, `-EOVERFLOW`, `-EINVAL`, `-ENOMEM` or `-EINTR`.
    ///
    /// Context: sleeps. No lock of the VM held.
    ///
    /// # Safety
    ///
    /// As for [`itree::insert`]; the caller holds `mm_users`.
    unsafe fn mmu_interval_notifier_insert(
        interval_sub: *mut bindings::mmu_interval_notifier,
        mm: *mut bindings::mm_struct,
        start: c_ulong,
        length: c_ulong,
        ops: *const bindings::mmu_interval_notifier_ops,
    ) -> c_int as "rust_mmu_interval_notifier_insert" {
        // SAFETY: The caller holds `mm_users`.
        let mm = unsafe { Mm::from_raw(mm) };
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: `mm` is valid.
        unsafe {
            ffi::mmn_might_lock_mmap(mm.as_raw())
        };
        // SAFETY: The caller's table is valid.
        warn_on_once!(unsafe {
            (*ops).invalidate_start.is_some() && (*ops).invalidate_finish.is_none()
        });
        let subscriptions = registration::with_itree(mm, || {
            // SAFETY: The caller holds `mm_users`.
            mm::with_write_lock(mm, |mm| unsafe { registration::register(What::Itree, mm) })
        });
        // SAFETY: By this function's own requirements.
        to_errno(subscriptions.and_then(|subscriptions| unsafe {
            itree::insert(interval_sub, mm, subscriptions, start, length, ops)
        }))
    }

    /// Inserts an interval subscription into an `mm` whose `mmap_lock` the caller holds for
    /// writing; see [`itree::insert`].
    ///
    /// Returns 0, `-EOVERFLOW`, `-EINVAL`, `-ENOMEM` or `-EINTR`.
    ///
    /// Context: sleeps. `mmap_lock` held for writing.
    ///
    /// # Safety
    ///
    /// As for [`itree::insert`]; the caller holds `mm_users`.
    unsafe fn mmu_interval_notifier_insert_locked(
        interval_sub: *mut bindings::mmu_interval_notifier,
        mm: *mut bindings::mm_struct,
        start: c_ulong,
        length: c_ulong,
        ops: *const bindings::mmu_interval_notifier_ops,
    ) -> c_int as "rust_mmu_interval_notifier_insert_locked" {
        // SAFETY: The caller holds `mm_users`, and the lock.
        let mm = unsafe { WriteLocked::assert(Mm::from_raw(mm)) };
        // SAFETY: The caller holds `mm_users`.
        let subscriptions = registration::with_itree(mm.mm(), || unsafe {
            registration::register(What::Itree, mm)
        });
        // SAFETY: By this function's own requirements.
        to_errno(subscriptions.and_then(|subscriptions| unsafe {
            itree::insert(interval_sub, mm.mm(), subscriptions, start, length, ops)
        }))
    }

    /// Removes an interval subscription; see [`itree::remove`].
    ///
    /// Context: sleeps. Not from a callback, nor with a lock held that a callback takes.
    ///
    /// # Safety
    ///
    /// As for [`itree::remove`].
    unsafe fn mmu_interval_notifier_remove(interval_sub: *mut bindings::mmu_interval_notifier)
        as "rust_mmu_interval_notifier_remove"
    {
        // SAFETY: By this function's own requirements.
        unsafe { itree::remove(interval_sub) }
    }

    /// Begins a read side; see [`itree::read_begin`].
    ///
    /// Context: sleeps. Not with a lock held that a callback takes.
    ///
    /// # Safety
    ///
    /// As for [`itree::read_begin`].
    unsafe fn mmu_interval_read_begin(interval_sub: *mut bindings::mmu_interval_notifier) -> c_ulong
        as "rust_mmu_interval_read_begin"
    {
        // SAFETY: By this function's own requirements.
        unsafe { itree::read_begin(interval_sub) }.raw()
    }
}
