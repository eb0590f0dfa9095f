// SPDX-License-Identifier: GPL-2.0

//! The declarations of `helpers.c`, made by bindgen; all else comes from the kernel's bindings.

#![expect(unreachable_pub)]
// Lock class keys are empty structures on a kernel without lockdep.
#![allow(improper_ctypes)]

include!(env!("MMU_NOTIFIER_BINDINGS"));
