// SPDX-License-Identifier: GPL-2.0

//! Which locks can protect a driver's translations.

use kernel::sync::lock::{
    mutex::MutexBackend,
    spinlock::SpinLockBackend,
    Backend, //
};

/// A kind of lock that an invalidation can take.
///
/// # Safety
///
/// `SLEEPS` must be true if taking the lock may sleep.
pub unsafe trait UserLock: Backend + 'static {
    /// Whether taking the lock may sleep. If so, a range that is not blockable is refused while
    /// somebody else holds it.
    const SLEEPS: bool;
}

// SAFETY: A mutex sleeps.
unsafe impl UserLock for MutexBackend {
    const SLEEPS: bool = true;
}

// SAFETY: A spinlock does not sleep, but for a kernel where it is a mutex.
unsafe impl UserLock for SpinLockBackend {
    const SLEEPS: bool = cfg!(CONFIG_PREEMPT_RT);
}
