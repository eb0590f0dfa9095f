// SPDX-License-Identifier: GPL-2.0

//! The models, and their tables of callbacks as C sees them.

use core::marker::PhantomData;
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_ulong, //
    },
    prelude::*,
    ModuleMetadata, //
};

use crate::{
    ops::{
        FlushOps,
        RangeOps,
        StartOps, //
    },
    page::PAGE_SIZE,
    range::Range,
    subscription::Subscription, //
};

/// Which of the traits a subscription's data implements.
///
/// # Safety
///
/// The callbacks of `OPS` take the subscription that they get for the `inner` of a
/// [`Subscription<T, Self>`](Subscription), and nothing else.
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

/// Callbacks for `T` as the data of a `Subscription<T, M>`.
///
/// # Safety
///
/// All of them are for the core: it calls with a registered [`Subscription<T, M>`](Subscription),
/// which is not freed before they return, and with a range that is valid as long.
struct Callbacks<T, M>(PhantomData<(T, M)>);

impl<T: RangeOps> Callbacks<T, Ranges> {
    /// # Safety
    ///
    /// See [`Callbacks`].
    unsafe extern "C" fn start(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) -> c_int {
        // SAFETY: By this function's own requirements.
        let data = unsafe { Subscription::<T, Ranges>::data(subscription) };
        // SAFETY: As above.
        data.invalidate_range_start(&unsafe { Range::from_raw(range) });
        0
    }

    /// # Safety
    ///
    /// See [`Callbacks`].
    unsafe extern "C" fn end(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) {
        // SAFETY: By this function's own requirements.
        let data = unsafe { Subscription::<T, Ranges>::data(subscription) };
        // SAFETY: As above.
        data.invalidate_range_end(&unsafe { Range::from_raw(range) });
    }
}

impl<T: StartOps> Callbacks<T, Starts> {
    /// # Safety
    ///
    /// See [`Callbacks`].
    unsafe extern "C" fn start(
        subscription: *mut bindings::mmu_notifier,
        range: *const bindings::mmu_notifier_range,
    ) -> c_int {
        // SAFETY: By this function's own requirements.
        let data = unsafe { Subscription::<T, Starts>::data(subscription) };
        // SAFETY: As above.
        match data.invalidate_range_start(&unsafe { Range::from_raw(range) }) {
            Ok(()) => 0,
            Err(_) => EAGAIN.to_errno(),
        }
    }
}

impl<T: FlushOps> Callbacks<T, Flush> {
    /// # Safety
    ///
    /// See [`Callbacks`].
    unsafe extern "C" fn invalidate(
        subscription: *mut bindings::mmu_notifier,
        _mm: *mut bindings::mm_struct,
        start: c_ulong,
        end: c_ulong,
    ) {
        // SAFETY: By this function's own requirements.
        let data = unsafe { Subscription::<T, Flush>::data(subscription) };
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
            /// # Safety
            ///
            /// See [`Callbacks`].
            unsafe extern "C" fn $name(
                subscription: *mut bindings::mmu_notifier,
                _mm: *mut bindings::mm_struct,
                $($addr: c_ulong),+
            ) -> bindings::bool_ {
                // SAFETY: By this function's own requirements.
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
            /// # Safety
            ///
            /// See [`Callbacks`].
            unsafe extern "C" fn release(
                subscription: *mut bindings::mmu_notifier,
                _mm: *mut bindings::mm_struct,
            ) {
                // SAFETY: By this function's own requirements.
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
