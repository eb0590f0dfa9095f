// SPDX-License-Identifier: GPL-2.0

//! The start of a core that is part of the kernel; it has no end.

use kernel::{
    error::Error,
    ffi::c_int, //
};

use crate::{
    debugfs,
    mode,
    monitor, //
};

/// Makes the files in debugfs, which is there by now.
///
/// C: `mmn_builtin_late_init()` in `rust/builtin.h`.
///
/// Context: an initcall.
#[no_mangle]
extern "C" fn mmn_builtin_late_init() {
    debugfs::init();
}

/// Makes the core ready, before there can be a subscription.
///
/// Returns 0 or `-ENOMEM`. C: `mmn_builtin_init()` in `rust/builtin.h`.
///
/// Context: an initcall.
#[no_mangle]
extern "C" fn mmn_builtin_init() -> c_int {
    mode::init()
        .and_then(|()| monitor::init())
        .map_or_else(Error::to_errno, |()| 0)
}
