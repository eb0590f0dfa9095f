// SPDX-License-Identifier: GPL-2.0

//! What a driver cannot get wrong, because it does not compile.
//!
//! # The retry of an interval subscription
//!
//! Forgetting it: the lock alone lets the table be looked at.
//!
//! ```compile_fail,E0596
//! # use mmu_notifier::{IntervalOps, IntervalSubscription};
//! fn enter<T: IntervalOps<Table = u64>>(sub: &IntervalSubscription<T>, found: u64) {
//!     let mut table = sub.lock();
//!     let entry: &mut u64 = &mut table;
//! }
//! ```
//!
//! Using the table before the retry was checked, or under another lock: the look-up alone has no
//! table, and only its commit, which takes the right lock, has one.
//!
//! ```compile_fail,E0614
//! # use mmu_notifier::{IntervalOps, IntervalSubscription};
//! fn enter<T: IntervalOps<Table = u64>>(sub: &IntervalSubscription<T>, found: u64) {
//!     let begun = sub.read_begin();
//!     *begun = found;
//! }
//! ```
//!
//! Committing one look-up twice: the second time, what was looked up may be gone.
//!
//! ```compile_fail,E0382
//! # use mmu_notifier::{IntervalOps, IntervalSubscription};
//! fn enter<T: IntervalOps<Table = u64>>(sub: &IntervalSubscription<T>) {
//!     let begun = sub.read_begin();
//!     let first = begun.commit();
//!     drop(first);
//!     let second = begun.commit();
//! }
//! ```
//!
//! Writing when the lock was released again:
//!
//! ```compile_fail,E0382
//! # use mmu_notifier::{CommitGuard, IntervalOps};
//! fn enter<T: IntervalOps<Table = u64>>(mut table: CommitGuard<'_, T>) {
//!     drop(table);
//!     *table = 1;
//! }
//! ```
//!
//! # Sleeping and refusing
//!
//! A refusal without a range that cannot wait: only the range makes one.
//!
//! ```compile_fail,E0451
//! # use mmu_notifier::WouldBlock;
//! fn refuse<'a>() -> Result<(), WouldBlock<'a>> {
//!     Err(WouldBlock { _here: todo!(), _brand: todo!() })
//! }
//! ```
//!
//! A refusal, or a permission to sleep, that is kept for another range:
//!
//! ```compile_fail,E0521
//! # use mmu_notifier::{Blockable, Range};
//! fn keep<'a>(range: &Range<'a>, kept: &mut Option<Blockable<'static>>) {
//!     *kept = range.blockable().ok();
//! }
//! ```
//!
//! A range handed to another task, which might sleep where this one must not:
//!
//! ```compile_fail,E0277
//! # use mmu_notifier::Range;
//! fn hand_over<T: Send>(_: T) {}
//! fn callback(range: Range<'_>) {
//!     hand_over(range);
//! }
//! ```
//!
//! Refusing a start whose end one wants to see: the core could not say which ends will come.
//!
//! ```compile_fail,E0053
//! # use kernel::prelude::*;
//! # use mmu_notifier::{Range, RangeOps, WouldBlock};
//! # struct Device;
//! #[vtable]
//! impl RangeOps for Device {
//!     fn invalidate_range_start<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
//!         range.blockable().map(|_| ())
//!     }
//!     fn invalidate_range_end(&self, _range: &Range<'_>) {}
//! }
//! ```
//!
//! ```compile_fail,E0407,E0438
//! # use kernel::prelude::*;
//! # use mmu_notifier::{Range, StartOps, WouldBlock};
//! # struct Device;
//! #[vtable]
//! impl StartOps for Device {
//!     fn invalidate_range_start<'a>(&self, range: &Range<'a>) -> Result<(), WouldBlock<'a>> {
//!         range.blockable().map(|_| ())
//!     }
//!     fn invalidate_range_end(&self, _range: &Range<'_>) {}
//! }
//! ```
//!
//! # Two models in one
//!
//! A driver of the range model that wants flushes as well: each trait has its own methods.
//!
//! ```compile_fail,E0407,E0438
//! # use kernel::prelude::*;
//! # use mmu_notifier::{Range, RangeOps};
//! # struct Device;
//! #[vtable]
//! impl RangeOps for Device {
//!     fn invalidate_range_start(&self, _range: &Range<'_>) {}
//!     fn invalidate_range_end(&self, _range: &Range<'_>) {}
//!     fn invalidate_pages(&self, _start: usize, _end: usize) {}
//! }
//! ```
//!
//! A start without an end, which leaves a driver that counts ranges counting for ever:
//!
//! ```compile_fail,E0046
//! # use kernel::prelude::*;
//! # use mmu_notifier::{Range, RangeOps};
//! # struct Device;
//! #[vtable]
//! impl RangeOps for Device {
//!     fn invalidate_range_start(&self, _range: &Range<'_>) {}
//! }
//! ```
//!
//! # Lifetimes
//!
//! Data that callbacks of several CPUs cannot share:
//!
//! ```compile_fail,E0277
//! # use core::cell::Cell;
//! # use kernel::prelude::*;
//! # use mmu_notifier::{Range, RangeOps};
//! struct Device(Cell<usize>);
//!
//! #[vtable]
//! impl RangeOps for Device {
//!     fn invalidate_range_start(&self, _range: &Range<'_>) {}
//!     fn invalidate_range_end(&self, _range: &Range<'_>) {}
//! }
//! ```
//!
//! Moving a subscription away from under the core:
//!
//! ```compile_fail,E0277
//! # use kernel::prelude::*;
//! # use mmu_notifier::{RangeOps, RangeSubscription};
//! fn unpin<T: RangeOps>(subscription: Pin<KBox<RangeSubscription<T>>>) -> RangeSubscription<T> {
//!     KBox::into_inner(Pin::into_inner(subscription))
//! }
//! ```
//!
//! Giving the data away while callbacks may use it:
//!
//! ```compile_fail,E0507
//! # use kernel::prelude::*;
//! # use mmu_notifier::{RangeOps, RangeSubscription};
//! fn take<T: RangeOps>(subscription: &RangeSubscription<T>) -> T {
//!     **subscription
//! }
//! ```
//!
//! # Mirrors
//!
//! A page that is used after the lock was released, when it may have been freed:
//!
//! ```compile_fail,E0505
//! # use mmu_notifier::{Access, MirrorGuard, MirrorOps};
//! fn use_after_unlock<T: MirrorOps>(mut guard: MirrorGuard<'_, T>) {
//!     let Some(page) = guard.get(0, Access::Read) else { return };
//!     drop(guard);
//!     page.read(0, &mut [0; 8]);
//! }
//! ```
//!
//! Two pages at once, of which dropping one could remove the other:
//!
//! ```compile_fail,E0499
//! # use mmu_notifier::{Access, MirrorGuard, MirrorOps};
//! fn two<T: MirrorOps>(mut guard: MirrorGuard<'_, T>) {
//!     let one = guard.get(0, Access::Read);
//!     guard.remove(0..usize::MAX);
//!     drop(one);
//! }
//! ```
//!
//! A lock that sleeps, for callbacks that may not:
//!
//! ```compile_fail,E0271
//! # use kernel::{prelude::*, sync::lock::mutex::MutexBackend};
//! # use mmu_notifier::{FlushMirror, MirrorOps};
//! struct Device;
//!
//! #[vtable]
//! impl MirrorOps for Device {
//!     type State = ();
//!     type Lock = MutexBackend;
//! }
//!
//! fn device(_: &FlushMirror<Device>) {}
//! ```
