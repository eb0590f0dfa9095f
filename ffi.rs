// SPDX-License-Identifier: GPL-2.0

//! What the project's own C offers, and locks and memory accesses in the kernel's terms.
//!
//! The kernel crate's own are calls out of line, of functions that often call another; and those
//! for barriers and grace periods are not the same in each series of the kernel.

use core::sync::atomic::{
    compiler_fence,
    Ordering, //
};
use kernel::bindings;

/// Declarations generated from `rust/bindings_helper.h`.
#[allow(
    clippy::all,
    dead_code,
    improper_ctypes,
    missing_docs,
    unreachable_pub,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case
)]
mod generated {
    include!(env!("MMN_BINDINGS"));
}

pub(crate) use generated::*;

/// `READ_ONCE()`: one untorn load, ordered by address dependency.
///
/// Reading through [`kernel::sync::atomic`] would be a call out of line for each list element.
///
/// # Safety
///
/// `ptr` must be valid for reads, aligned, and only be written by untorn stores meanwhile.
#[inline(always)]
pub(crate) unsafe fn read_once<T: Copy>(ptr: *const T) -> T {
    // SAFETY: By this function's own requirements; a racing untorn store is well defined under
    // the kernel's memory model.
    unsafe { ptr.read_volatile() }
}

/// `WRITE_ONCE()`: one untorn store.
///
/// # Safety
///
/// `ptr` must be valid for writes, aligned, and others must access it by untorn loads only.
#[inline(always)]
pub(crate) unsafe fn write_once<T: Copy>(ptr: *mut T, value: T) {
    // SAFETY: By this function's own requirements.
    unsafe { ptr.write_volatile(value) }
}

/// `smp_load_acquire()` of one word: what follows comes after it.
///
/// # Safety
///
/// As for [`read_once`].
#[cfg(any(MODULE, CONFIG_MMU_NOTIFIER_KUNIT_TEST))]
#[inline(always)]
pub(crate) unsafe fn load_acquire<T: Copy>(ptr: *const T) -> T {
    // SAFETY: By this function's own requirements.
    let value = unsafe { read_once(ptr) };
    // On x86 the compiler is all there is to stop.
    if cfg!(CONFIG_X86) {
        compiler_fence(Ordering::Acquire);
    } else {
        smp_mb();
    }
    value
}

/// `smp_store_release()` of one word: what came before is visible to whoever sees it by an acquire
/// load.
///
/// # Safety
///
/// `ptr` must be valid for writes, aligned, and others must access it by untorn loads only.
#[inline(always)]
pub(crate) unsafe fn store_release<T: Copy>(ptr: *mut T, value: T) {
    // On x86 the compiler is all there is to stop.
    if cfg!(CONFIG_X86) {
        compiler_fence(Ordering::Release);
    } else {
        smp_mb();
    }
    // SAFETY: By this function's own requirements.
    unsafe { write_once(ptr, value) };
}

/// `smp_mb()`: a full barrier.
#[inline]
pub(crate) fn smp_mb() {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::smp_mb() };
}

/// `smp_rmb()`: loads before it come before loads after it.
#[inline]
pub(crate) fn smp_rmb() {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::smp_rmb() };
}

/// `synchronize_rcu()`: waits until all RCU sections that have begun are over.
///
/// Context: may sleep; not within such a section.
#[cfg(any(MODULE, CONFIG_MMU_NOTIFIER_KUNIT_TEST))]
pub(crate) fn synchronize_rcu() {
    // SAFETY: By the context above it can but wait for others.
    unsafe { bindings::synchronize_rcu() };
}

/// `spin_lock()`.
///
/// Context: any but interrupts; never sleeps (but where the kernel's spinlocks do).
///
/// # Safety
///
/// `lock` must be an initialised lock that the current task does not hold.
#[inline(always)]
pub(crate) unsafe fn spin_lock(lock: *mut bindings::spinlock_t) {
    // A `spinlock_t` is its `raw_spinlock_t`, but on PREEMPT_RT.
    #[cfg(not(CONFIG_PREEMPT_RT))]
    // SAFETY: By this function's own requirements.
    unsafe {
        bindings::_raw_spin_lock(lock.cast())
    };
    #[cfg(CONFIG_PREEMPT_RT)]
    // SAFETY: By this function's own requirements.
    unsafe {
        bindings::spin_lock(lock)
    };
}

/// `spin_unlock()`.
///
/// Context: as for [`spin_lock`].
///
/// # Safety
///
/// The current task must hold `lock`.
#[inline(always)]
pub(crate) unsafe fn spin_unlock(lock: *mut bindings::spinlock_t) {
    // Where it is inlined in C, the crate's helper is the only function.
    #[cfg(all(CONFIG_UNINLINE_SPIN_UNLOCK, not(CONFIG_PREEMPT_RT)))]
    // SAFETY: By this function's own requirements.
    unsafe {
        bindings::_raw_spin_unlock(lock.cast())
    };
    #[cfg(not(all(CONFIG_UNINLINE_SPIN_UNLOCK, not(CONFIG_PREEMPT_RT))))]
    // SAFETY: By this function's own requirements.
    unsafe {
        bindings::spin_unlock(lock)
    };
}
