// SPDX-License-Identifier: GPL-2.0

//! One subscription for each address space, shared by its users: `mmu_notifier_get()` and
//! `mmu_notifier_put()`.

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    mm::{
        Mm,
        MmWithUser, //
    },
    prelude::*, //
};

use crate::{
    ffi,
    model::Model,
    subscription::Subscription, //
};

/// Data that all users of an address space share.
///
/// Its translations must be gone before its last user is. It is dropped a grace period later, in
/// atomic context: the drop must not sleep. Until then it keeps its module loaded.
pub trait SharedOps: Send + Sync + Sized + 'static {
    /// Makes the data for the first user of `mm`.
    ///
    /// Context: sleeps, under the mmap lock of `mm`, held to write: must not touch user memory, nor
    /// get from a registry, nor make users of `mm`.
    fn new(mm: &Mm) -> impl PinInit<Self, Error>;
}

/// Finds the shared subscription of an address space, or makes it.
///
/// A driver has one in a `static`. The core tells subscriptions apart by the address of their
/// table of callbacks; this is it, so that no two are ever mistaken for each other.
///
/// ```
/// # use kernel::mm::Mm;
/// use mmu_notifier::{FlushOps, Flush, Registry, Shared, SharedOps};
///
/// /// What the device knows of a process.
/// struct Context;
///
/// impl SharedOps for Context {
///     fn new(_mm: &Mm) -> impl PinInit<Self, Error> {
///         Ok(Context)
///     }
/// }
///
/// #[vtable]
/// impl FlushOps for Context {
///     fn invalidate_pages(&self, _start: usize, _end: usize) {}
/// }
///
/// static CONTEXTS: Registry<Context, Flush> = Registry::new();
///
/// let one = CONTEXTS.get(mm)?;
/// let other = CONTEXTS.get(mm)?;
/// // Both users share one context.
/// assert!(core::ptr::eq(&*one, &*other));
/// # Ok::<(), Error>(())
/// ```
pub struct Registry<T: SharedOps, M: Model<T>> {
    // In a cell, since the compiler may merge constants that are equal.
    ops: UnsafeCell<bindings::mmu_notifier_ops>,
    _shared: PhantomData<fn(T, M)>,
}

// SAFETY: Nobody writes to `ops`.
unsafe impl<T: SharedOps, M: Model<T>> Sync for Registry<T, M> {}

impl<T: SharedOps, M: Model<T>> Registry<T, M> {
    /// A registry, for a `static`.
    #[expect(clippy::new_without_default)]
    #[inline]
    pub const fn new() -> Self {
        Registry {
            ops: UnsafeCell::new(bindings::mmu_notifier_ops {
                alloc_notifier: Some(Self::alloc),
                free_notifier: Some(Self::free),
                ..M::OPS
            }),
            _shared: PhantomData,
        }
    }

    /// The subscription of `mm`.
    ///
    /// # Errors
    ///
    /// Those of [`Subscription::register`] and [`SharedOps::new`]; `EOVERFLOW` if it has too many
    /// users.
    ///
    /// Context: sleeps; takes the mmap lock of `mm`.
    #[inline]
    pub fn get(&'static self, mm: &MmWithUser) -> Result<Shared<T, M>> {
        // SAFETY: The table is static and its callbacks fit each other; `mm` has users.
        let raw = unsafe { ffi::mmu_notifier_helper_get(self.ops.get(), mm.as_raw()) };
        let raw = from_err_ptr(raw)?;
        // SAFETY: The core gives out what `alloc` of this very table made.
        let subscription = unsafe { Subscription::from_inner(raw) };
        // INVARIANT: The core has counted this user.
        Ok(Shared(NonNull::new(subscription).ok_or(EINVAL)?))
    }

    /// # Safety
    ///
    /// For the core: `mm` must be an address space with users.
    unsafe extern "C" fn alloc(mm: *mut bindings::mm_struct) -> *mut bindings::mmu_notifier {
        // SAFETY: By this function's own requirements.
        let mm = unsafe { Mm::from_raw(mm) };
        match KBox::pin_init(Subscription::<T, M>::shared(T::new(mm)), GFP_KERNEL) {
            Ok(subscription) => {
                let inner = subscription.as_raw();
                // `free` takes it back.
                //
                // SAFETY: It stays where it is until then.
                let _ = KBox::into_raw(unsafe { Pin::into_inner_unchecked(subscription) });
                inner
            }
            Err(error) => error.to_ptr(),
        }
    }

    /// # Safety
    ///
    /// For the core: `raw` must come from `alloc` of this table, and have no user any more.
    ///
    /// The value holds the module, whose code this is. SRCU runs it with bottom halves off, and a
    /// module's text goes only after a grace period of RCU; so this returns before.
    unsafe extern "C" fn free(raw: *mut bindings::mmu_notifier) {
        // SAFETY: By this function's own requirements; `alloc` made a box of it.
        drop(unsafe { KBox::from_raw(Subscription::<T, M>::from_inner(raw)) });
    }
}

/// A user of the shared subscription of an address space.
///
/// Dereferences to the data. The drop puts it; the last one's ends the callbacks, at the latest
/// after those that are running. The data lives for a grace period longer.
///
/// Context of the drop: any but interrupts; never sleeps.
///
/// # Invariants
///
/// Counts as a user of the subscription.
pub struct Shared<T: SharedOps, M: Model<T>>(NonNull<Subscription<T, M>>);

// SAFETY: Users can be put by any task, and the data is `Send` and `Sync`.
unsafe impl<T: SharedOps, M: Model<T>> Send for Shared<T, M> {}
// SAFETY: Through a shared reference only the `Sync` data can be reached.
unsafe impl<T: SharedOps, M: Model<T>> Sync for Shared<T, M> {}

impl<T: SharedOps, M: Model<T>> Deref for Shared<T, M> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants it is not freed.
        unsafe { self.0.as_ref() }
    }
}

impl<T: SharedOps, M: Model<T>> Drop for Shared<T, M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants this user has not been put yet.
        unsafe { bindings::mmu_notifier_put(self.0.as_ref().as_raw()) };
    }
}
