// SPDX-License-Identifier: GPL-2.0

//! What the project's own C offers, and memory accesses in the kernel's terms.

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
