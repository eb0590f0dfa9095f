// SPDX-License-Identifier: GPL-2.0

//! The project's own C functions and variables, named `mmn_*`.
//!
//! Generated at build time from `rust/bindings_helper.h`; the types are those of
//! [`kernel::bindings`].

#![allow(
    clippy::all,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

include!(env!("MMN_BINDINGS"));
