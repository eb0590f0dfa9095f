// SPDX-License-Identifier: GPL-2.0

//! The mode of a core that is built in: native from the first call to the last.
//!
//! Stands in for `mode.rs`, which says what the modes are.

use kernel::{
    ffi::c_int,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

use crate::{
    age,
    observe, //
};

/// Nothing to prepare but what begins with native mode.
pub(crate) fn init() -> Result {
    age::renew();
    Ok(())
}

/// Evidence that the mode does not change.
pub(crate) struct Gate(());

impl Gate {
    /// Enters the gate, which is always open.
    pub(crate) fn enter() -> Self {
        Self(())
    }

    /// Registrations take the locks by [`crate::mm_lock`].
    pub(crate) fn is_native(&self) -> bool {
        true
    }
}

/// See [`Gate::is_native`].
#[inline(always)]
pub(crate) fn is_native() -> bool {
    true
}

/// Whether nobody observes.
#[inline(always)]
pub(crate) fn is_plain() -> bool {
    !observe::is_on()
}

static OBSERVERS: Atomic<i32> = Atomic::<i32>::new(0);

/// One more observer, or one less. Hooks know of them by the static key.
#[no_mangle]
extern "C" fn mmn_observers_changed(by: c_int) {
    OBSERVERS.fetch_add(by, Relaxed);
}

/// How many observe.
#[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
pub(crate) fn observers() -> i32 {
    OBSERVERS.load(Relaxed)
}

/// What the parameter `mode` shows.
#[no_mangle]
extern "C" fn mmn_mode_is_native() -> bool {
    true
}
