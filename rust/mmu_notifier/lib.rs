// SPDX-License-Identifier: GPL-2.0

//! MMU notifiers for drivers in Rust.
//!
//! A *secondary MMU* (a virtual machine's page tables, a GPU's or an RDMA card's, another process
//! across a link) holds translations of a process's addresses. Before the kernel changes what is
//! behind an address, it tells the *subscriptions* of that `mm_struct`. This crate is how a driver
//! subscribes. It needs exported functions only, so it works on the kernel's C core
//! (`mm/mmu_notifier.c`) and on the core in Rust alike.
//!
//! # Which type to use
//!
//! | the secondary MMU | what to use |
//! |---|---|
//! | has page tables of its own for a whole address space | [`RangeOps`] with [`RangeSubscription`] |
//! | needs to know only when a range is about to change | [`StartOps`] with [`StartSubscription`] |
//! | walks the CPU's page tables and caches what it finds | [`FlushOps`] with [`FlushSubscription`] |
//! | maps some ranges | [`IntervalOps`] with [`IntervalSubscription`] |
//! | one driver object for each process, shared by its users | [`Registry`], any of the first three |
//! | is the CPU's, of another process | [`area::Area`] |
//! | is software: accesses the pages itself | [`RangeMirror`], [`FlushMirror`], [`IntervalMirror`] |
//!
//! What no longer compiles stands in [`rules`], example by example.
//!
//! A subscription keeps the module whose code it calls loaded. So one that hangs off a `static` or
//! off the module itself keeps the module for good; let it hang off an open file.
//!
//! Not offered: the two passes of interval subscriptions, `invalidate_start` and
//! `invalidate_finish`.
//!
//! C header: [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

pub mod area;
pub mod credentials;
mod ffi;
mod interval;
mod mirror;
mod model;
mod module_ref;
mod ops;
mod page;
pub mod proc;
mod range;
mod registry;
pub mod rules;
mod subscription;
mod table;
mod user_lock;

pub use interval::{
    Collision,
    CommitGuard,
    IntervalGuard,
    IntervalOps,
    IntervalSubscription,
    ReadSeq, //
};
pub use mirror::{
    Fault,
    FlushMirror,
    IntervalMirror,
    IntervalMirrorOps,
    MirrorGuard,
    MirrorOps,
    RangeMirror,
    WholeMirror, //
};
pub use model::{
    Flush,
    Model,
    Ranges,
    Starts, //
};
pub use ops::{
    FlushOps,
    RangeOps,
    StartOps, //
};
pub use page::{
    Access,
    PAGE_SIZE, //
};
pub use range::{
    Blockable,
    Event,
    Owner,
    Range,
    WouldBlock, //
};
pub use registry::{
    Registry,
    Shared,
    SharedOps, //
};
pub use subscription::{
    FlushSubscription,
    RangeSubscription,
    StartSubscription,
    Subscription, //
};
pub use table::{
    Entry,
    Frame,
    Table, //
};
pub use user_lock::UserLock;
