// SPDX-License-Identifier: GPL-2.0

//! The module's life: it takes the running kernel's notifiers over, and leaves when livepatch has
//! given them back.

use kernel::{
    error::to_result,
    prelude::*, //
};

use crate::{
    debugfs,
    ffi,
    layout,
    mode,
    monitor,
    srcu, //
};

/// A takeover that has begun.
pub(crate) struct Takeover;

impl kernel::Module for Takeover {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        layout::check()?;
        mode::init()?;
        monitor::init().inspect_err(|_| mode::exit())?;
        // SAFETY: The entry points work from here on. Called once.
        to_result(unsafe { ffi::mmn_livepatch_enable() }).inspect_err(|_| {
            monitor::exit();
            mode::exit();
        })?;
        // Last, as nothing may fail any more: an open file holds a module only once it is loaded.
        debugfs::init();
        Ok(Self)
    }
}

impl Drop for Takeover {
    /// Runs when livepatch has given the functions back and no task is inside one.
    fn drop(&mut self) {
        debugfs::exit();
        // `put()` may have left callbacks that lie in this module's text.
        srcu::Global::get().barrier();
        monitor::exit();
        mode::exit();
    }
}
