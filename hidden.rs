// SPDX-License-Identifier: GPL-2.0

//! A kernel without debugfs has no files to show anything in.
//!
//! Stands in for `debugfs.rs`.

/// Makes none.
pub(crate) fn init() {}

/// Nothing to remove.
#[cfg(MODULE)]
pub(crate) fn exit() {}
