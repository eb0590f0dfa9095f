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
//! | is software: accesses the pages itself | [`RangeMirror`], [`FlushMirror`], [`IntervalMirror`] |
//!
//! # What the types rule out
//!
//! - A table of callbacks for two models at once: each subscription names one trait.
//! - Refusing a range whose end one wants to see: the core could not tell such a subscription
//!   which starts have failed. [`RangeOps`] cannot refuse, [`StartOps`] has no end.
//! - Sleeping in, or refusing, the wrong range: [`Range::blockable`] gives the permission to sleep
//!   or the refusal, whichever holds, and neither outlives its callback.
//! - Forgetting the retry, or checking it under another lock than the one that the invalidation
//!   takes: an [`IntervalSubscription`] owns its lock, and what that protects can be written only
//!   through the guard that [`ReadSeq::commit`] gives.
//! - A subscription whose memory or code goes before it is unregistered: it is pinned, its drop
//!   unregisters, and it holds a reference on its module.
//! - Two subscriptions of one table of callbacks mistaken for each other (see [`Registry`]).
//!
//! C header: [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

mod ffi;
mod interval;
mod mirror;
mod model;
mod module_ref;
mod ops;
mod page;
mod range;
mod registry;
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
    RangeMirror, //
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
