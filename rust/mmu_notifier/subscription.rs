// SPDX-License-Identifier: GPL-2.0

//! A subscription of a whole address space, and the table of callbacks that C sees.

use core::{
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_ulong, //
    },
    mm::MmWithUser,
    prelude::*,
    types::Opaque,
    ModuleMetadata, //
};

use crate::{
    module_ref::ModuleRef,
    ops::{
        FlushOps,
        RangeOps,
        StartOps, //
    },
    page::PAGE_SIZE,
    range::Range, //
};

/// Which of the traits a subscription's data implements.
///
/// # Safety
///
/// The callbacks of `OPS` take the subscription that they get for the `inner` of a
/// [`Subscription<T, Self>`], and nothing else.
pub unsafe trait Model<T>: Sized + 'static {
    #[doc(hidden)]
    const OPS: bindings::mmu_notifier_ops;

    /// Whose code the callbacks are.
    type OwnerModule: ModuleMetadata;
}

/// The model of [`RangeOps`].
pub struct Ranges(());

/// The model of [`StartOps`].
pub struct Starts(());

/// The model of [`FlushOps`].
pub struct Flush(());

/// A subscription by [`RangeOps`].
pub type RangeSubscription<T> = Subscription<T, Ranges>;

/// A subscription by [`StartOps`].
pub type StartSubscription<T> = Subscription<T, Starts>;

/// A subscription by [`FlushOps`].
pub type FlushSubscription<T> = Subscription<T, Flush>;

/// Driver data that is told what happens to an address space: `struct mmu_notifier`.
///
/// Dereferences to the data. Dropping it unregisters, and waits for running callbacks; so it must
/// not be dropped in a callback of any subscription of that address space, nor by what such a
/// callback waits for.
///
/// Context of the drop: sleeps; the caller must not hold the mmap lock of the address space, nor a
/// lock that a callback takes.
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
    unsafe fn data<'a>(raw: *mut bindings::mmu_notifier) -> &'a T {
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

/// Callbacks for `T` as the data of a `Subscription<T, M>`.
struct Callbacks<T, M>(PhantomData<(T, M)>);

// In all of these: the core calls with a registered subscription, which its drop unregisters, and
// with the range of the call.

impl<T: RangeOps> Callbacks<T, Ranges> {
    unsafe extern "C" fn start(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) -> c_int {
        // SAFETY: This is a callback of `RangeSubscription<T>`.
        let data = unsafe { RangeSubscription::<T>::data(subscription) };
        // SAFETY: The core's range, for the length of this call.
        data.invalidate_range_start(&unsafe { Range::from_raw(range) });
        0
    }

    unsafe extern "C" fn end(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) {
        // SAFETY: This is a callback of `RangeSubscription<T>`.
        let data = unsafe { RangeSubscription::<T>::data(subscription) };
        // SAFETY: The core's range, for the length of this call.
        data.invalidate_range_end(&unsafe { Range::from_raw(range) });
    }
}

impl<T: StartOps> Callbacks<T, Starts> {
    unsafe extern "C" fn start(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) -> c_int {
        // SAFETY: This is a callback of `StartSubscription<T>`.
        let data = unsafe { StartSubscription::<T>::data(subscription) };
        // SAFETY: The core's range, for the length of this call.
        match data.invalidate_range_start(&unsafe { Range::from_raw(range) }) {
            Ok(()) => 0,
            Err(_) => EAGAIN.to_errno(),
        }
    }
}

impl<T: FlushOps> Callbacks<T, Flush> {
    unsafe extern "C" fn invalidate(
        subscription: *mut bindings::mmu_notifier,
        _mm: *mut bindings::mm_struct,
        start: c_ulong,
        end: c_ulong,
    ) {
        // SAFETY: This is a callback of `FlushSubscription<T>`.
        let data = unsafe { FlushSubscription::<T>::data(subscription) };
        if T::HAS_INVALIDATE_PAGE && end.wrapping_sub(start) == PAGE_SIZE {
            data.invalidate_page(start);
        } else {
            data.invalidate_pages(start, end);
        }
    }
}

/// One trampoline for a method that two of the traits have.
macro_rules! young {
    ($name:ident($($addr:ident),+), $model:ident, $ops:ident) => {
        impl<T: $ops> Callbacks<T, $model> {
            unsafe extern "C" fn $name(
                subscription: *mut bindings::mmu_notifier,
                _mm: *mut bindings::mm_struct,
                $($addr: c_ulong),+
            ) -> bindings::bool_ {
                // SAFETY: This is a callback of such a subscription.
                unsafe { Subscription::<T, $model>::data(subscription) }.$name($($addr),+)
            }
        }
    };
}

young!(clear_flush_young(start, end), Ranges, RangeOps);
young!(clear_young(start, end), Ranges, RangeOps);
young!(test_young(addr), Ranges, RangeOps);
young!(clear_flush_young(start, end), Flush, FlushOps);
young!(clear_young(start, end), Flush, FlushOps);
young!(test_young(addr), Flush, FlushOps);

macro_rules! release {
    ($model:ident, $ops:ident) => {
        impl<T: $ops> Callbacks<T, $model> {
            unsafe extern "C" fn release(
                subscription: *mut bindings::mmu_notifier,
                _mm: *mut bindings::mm_struct,
            ) {
                // SAFETY: This is a callback of such a subscription.
                unsafe { Subscription::<T, $model>::data(subscription) }.release();
            }
        }
    };
}

release!(Ranges, RangeOps);
release!(Starts, StartOps);
release!(Flush, FlushOps);

/// A pointer to a callback if the trait's method is there, else null.
macro_rules! if_there {
    ($there:expr, $callback:expr) => {
        if $there {
            Some($callback)
        } else {
            None
        }
    };
}

const NONE: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    release: None,
    clear_flush_young: None,
    clear_young: None,
    test_young: None,
    invalidate_range_start: None,
    invalidate_range_end: None,
    arch_invalidate_secondary_tlbs: None,
    alloc_notifier: None,
    free_notifier: None,
};

// SAFETY: All are callbacks of `Callbacks<T, Ranges>`.
unsafe impl<T: RangeOps> Model<T> for Ranges {
    type OwnerModule = T::OwnerModule;

    const OPS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
        invalidate_range_start: Some(Callbacks::<T, Self>::start),
        invalidate_range_end: Some(Callbacks::<T, Self>::end),
        clear_flush_young: if_there!(
            T::HAS_CLEAR_FLUSH_YOUNG,
            Callbacks::<T, Self>::clear_flush_young
        ),
        clear_young: if_there!(T::HAS_CLEAR_YOUNG, Callbacks::<T, Self>::clear_young),
        test_young: if_there!(T::HAS_TEST_YOUNG, Callbacks::<T, Self>::test_young),
        release: if_there!(T::HAS_RELEASE, Callbacks::<T, Self>::release),
        ..NONE
    };
}

// SAFETY: All are callbacks of `Callbacks<T, Starts>`.
unsafe impl<T: StartOps> Model<T> for Starts {
    type OwnerModule = T::OwnerModule;

    const OPS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
        invalidate_range_start: Some(Callbacks::<T, Self>::start),
        release: if_there!(T::HAS_RELEASE, Callbacks::<T, Self>::release),
        ..NONE
    };
}

// SAFETY: All are callbacks of `Callbacks<T, Flush>`.
unsafe impl<T: FlushOps> Model<T> for Flush {
    type OwnerModule = T::OwnerModule;

    const OPS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
        arch_invalidate_secondary_tlbs: Some(Callbacks::<T, Self>::invalidate),
        clear_flush_young: if_there!(
            T::HAS_CLEAR_FLUSH_YOUNG,
            Callbacks::<T, Self>::clear_flush_young
        ),
        clear_young: if_there!(T::HAS_CLEAR_YOUNG, Callbacks::<T, Self>::clear_young),
        test_young: if_there!(T::HAS_TEST_YOUNG, Callbacks::<T, Self>::test_young),
        release: if_there!(T::HAS_RELEASE, Callbacks::<T, Self>::release),
        ..NONE
    };
}
