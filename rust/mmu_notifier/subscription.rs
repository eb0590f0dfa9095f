// SPDX-License-Identifier: GPL-2.0

//! A subscription of a whole address space.

use core::{
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    mm::MmWithUser,
    prelude::*,
    types::Opaque, //
};

use crate::{
    model::{
        Flush,
        Model,
        Ranges,
        Starts, //
    },
    module_ref::ModuleRef, //
};

/// A subscription by [`RangeOps`](crate::RangeOps).
pub type RangeSubscription<T> = Subscription<T, Ranges>;

/// A subscription by [`StartOps`](crate::StartOps).
pub type StartSubscription<T> = Subscription<T, Starts>;

/// A subscription by [`FlushOps`](crate::FlushOps).
pub type FlushSubscription<T> = Subscription<T, Flush>;

/// Driver data that is told what happens to an address space: `struct mmu_notifier`.
///
/// ```
/// # use kernel::sync::atomic::{Atomic, Relaxed};
/// # use kernel::uaccess::{UserPtr, UserSlice};
/// use mmu_notifier::{Event, Range, RangeOps, RangeSubscription};
///
/// /// Counts the ranges that a process unmaps.
/// struct Unmaps(Atomic<usize>);
///
/// #[vtable]
/// impl RangeOps for Unmaps {
///     fn invalidate_range_start(&self, range: &Range<'_>) {
///         if range.event() == Event::Unmap {
///             self.0.fetch_add(1, Relaxed);
///         }
///     }
///
///     fn invalidate_range_end(&self, _range: &Range<'_>) {}
/// }
///
/// let unmaps = KBox::pin_init(
///     RangeSubscription::register(mm, Unmaps(Atomic::new(0))),
///     GFP_KERNEL,
/// )?;
/// # UserSlice::new(UserPtr::from_addr(memory.start), 8).writer().write(&42u64)?;
/// unmap(memory);
/// assert!(unmaps.0.load(Relaxed) > 0);
/// # Ok::<(), Error>(())
/// ```
///
/// Dereferences to the data. Dropping it unregisters, and waits for running callbacks; so it must
/// not be dropped in a callback of any subscription of that address space, nor by what such a
/// callback waits for.
///
/// Context of the drop: sleeps; the caller must not hold the mmap lock of the address space, nor a
/// lock that a callback takes. It must itself keep the module loaded, as an open file does.
///
/// # Invariants
///
/// While the value exists, `inner` is registered with callbacks of `M`: by itself if `own` is true,
/// else by the core, which unregisters it before it has it dropped.
#[pin_data(PinnedDrop)]
pub struct Subscription<T: Send + Sync + 'static, M: Model<T>> {
    #[pin]
    inner: Opaque<bindings::mmu_notifier>,
    #[pin]
    data: T,
    own: bool,
    // Behind the data, whose drop is the module's code.
    _module: ModuleRef,
    _model: PhantomData<M>,
}

// SAFETY: Registering and unregistering are not tied to a task, and `T` is `Send`.
unsafe impl<T: Send + Sync + 'static, M: Model<T>> Send for Subscription<T, M> {}
// SAFETY: Through a shared reference only the `Sync` data can be reached.
unsafe impl<T: Send + Sync + 'static, M: Model<T>> Sync for Subscription<T, M> {}

impl<T: Send + Sync + 'static, M: Model<T>> Subscription<T, M> {
    const OPS: &'static bindings::mmu_notifier_ops = &M::OPS;

    /// Subscribes `data` to what happens to `mm`.
    ///
    /// Callbacks may come before this returns.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal ends the wait for the locks of the address space; `ENOMEM`; `ENODEV`
    /// if the module is being unloaded; the error of `data`.
    ///
    /// Context: sleeps; the caller must not hold the mmap lock of `mm`.
    #[inline]
    pub fn register<'a, E>(
        mm: &'a MmWithUser,
        data: impl PinInit<T, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            _module: ModuleRef::get::<M::OwnerModule>()?,
            _model: PhantomData,
            data <- data,
            own: true,
            // INVARIANT: Registered here, where all that a callback reaches is set up.
            inner <- Opaque::try_ffi_init(|slot: *mut bindings::mmu_notifier| {
                // SAFETY: The slot is ours to write until it is registered.
                unsafe {
                    slot.write(bindings::mmu_notifier {
                        ops: Self::OPS,
                        ..Default::default()
                    })
                };
                // SAFETY: The value is pinned, and its drop unregisters; `mm` has users.
                to_result(unsafe { bindings::mmu_notifier_register(slot, mm.as_raw()) })
            }),
        }? Error)
    }

    /// Sets a subscription up that the core registers itself when this is done.
    #[inline]
    pub(crate) fn shared(data: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _module: ModuleRef::get::<M::OwnerModule>()?,
            _model: PhantomData,
            data <- data,
            own: false,
            inner: Opaque::new(bindings::mmu_notifier::default()),
        }? Error)
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::mmu_notifier {
        self.inner.get()
    }

    /// # Safety
    ///
    /// `raw` must be the `inner` of a subscription of this very type.
    #[inline]
    pub(crate) unsafe fn from_inner(raw: *mut bindings::mmu_notifier) -> *mut Self {
        // SAFETY: By this function's own requirements the field lies in such a value.
        unsafe { container_of!(Opaque::cast_from(raw), Self, inner).cast_mut() }
    }

    /// The data of the subscription that a callback got.
    ///
    /// # Safety
    ///
    /// As for [`Self::from_inner`]; it must stay registered for `'a`.
    #[inline]
    pub(crate) unsafe fn data<'a>(raw: *mut bindings::mmu_notifier) -> &'a T {
        // SAFETY: By this function's own requirements; the data is set up before it is registered.
        unsafe { &(*Self::from_inner(raw)).data }
    }
}

impl<T: Send + Sync + 'static, M: Model<T>> Deref for Subscription<T, M> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.data
    }
}

#[pinned_drop]
impl<T: Send + Sync + 'static, M: Model<T>> PinnedDrop for Subscription<T, M> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        if self.own {
            let raw = self.inner.get();
            // SAFETY: By the type invariants it is registered, with the mm that the core noted in
            // it and holds a reference on.
            unsafe { bindings::mmu_notifier_unregister(raw, (*raw).mm) };
        }
    }
}
