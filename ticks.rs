// SPDX-License-Identifier: GPL-2.0

//! Time in the kernel's ticks.

use kernel::{
    bindings,
    ffi::c_ulong, //
};

use crate::ffi;

/// Ticks of a second. (`bindings::HZ` is what user space knows, 100 on every machine.)
pub(crate) const HZ: c_ulong = bindings::CONFIG_HZ as c_ulong;

/// The time; it wraps.
#[inline(always)]
pub(crate) fn jiffies() -> c_ulong {
    // SAFETY: Always there, and written by untorn stores.
    unsafe { ffi::read_once(&raw const bindings::jiffies) }
}

/// A number of ticks in nanoseconds.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
pub(crate) fn nanoseconds(ticks: c_ulong) -> u64 {
    (ticks as u64).saturating_mul(1_000_000_000 / HZ as u64)
}
