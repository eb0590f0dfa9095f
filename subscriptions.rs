// SPDX-License-Identifier: GPL-2.0

//! The state of one `mm`: what `mm->notifier_subscriptions` points at.
//!
//! The structure is private to `mm/mmu_notifier.c` and shared with it: a process that subscribed
//! while C served is served by this crate afterwards, and the other way round. [`Layout`] is
//! therefore the C layout, and `layout.rs` compares it with the running kernel's type information
//! before anything is taken over.
//!
//! | field | written | read |
//! |---|---|---|
//! | `list` | under `lock` | in a section of the `mm`'s domain, or under `lock` |
//! | `has_itree` | to true, under all of the `mm`'s locks | anywhere |
//! | `invalidate_seq` | under `lock` | under `lock`; by C untorn anywhere |
//! | `active_invalidate_ranges` | under `lock` | under `lock` |
//! | `itree` | under `lock`, while `invalidate_seq` is even | under `lock`, or by a start |
//! | `deferred_list` | under `lock` | under `lock` |
//! | `wq` | by its own lock | by its own lock |
//!
//! The list is added to while no invalidation runs, and whether it is empty may be asked anywhere.
//! A start walks the tree without the lock, since it keeps the sequence odd until its end.
//!
//! `lock` is a leaf: nothing is taken, allocated or freed under it.

use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        AllocError,
        KBox, //
    },
    bindings, container_of,
    ffi::c_ulong,
    mm::Mm,
    sync::atomic::{
        atomic_load,
        atomic_store,
        ordering::{
            Acquire,
            Release, //
        }, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

use crate::{
    domain::Section,
    ffi,
    mm_lock::MmAllLocks,
    seq::Seq, //
};

/// `struct mmu_notifier_subscriptions`, field for field.
#[repr(C)]
pub(crate) struct Layout {
    pub(crate) list: bindings::hlist_head,
    pub(crate) has_itree: bool,
    pub(crate) lock: bindings::spinlock_t,
    pub(crate) invalidate_seq: c_ulong,
    pub(crate) active_invalidate_ranges: c_ulong,
    pub(crate) itree: bindings::rb_root_cached,
    pub(crate) wq: bindings::wait_queue_head,
    pub(crate) deferred_list: bindings::hlist_head,
}

/// The state of one `mm`.
///
/// # Invariants
///
/// Initialised, allocated by `kmalloc()`, and published in at most one `mm`, with which it dies.
#[repr(transparent)]
pub(crate) struct Subscriptions(Opaque<Layout>);

/// Where `mm` keeps the pointer to its state.
fn slot(mm: &Mm) -> *mut *mut Subscriptions {
    // SAFETY: `mm` is valid; this only computes an address.
    unsafe { &raw mut (*mm.as_raw()).__bindgen_anon_1.notifier_subscriptions }.cast()
}

impl Subscriptions {
    /// Allocates the state for an `mm` that has none.
    ///
    /// Context: sleeps.
    pub(crate) fn new() -> Result<KBox<Self>, AllocError> {
        // C frees it with `kfree()`, hence `KBox`.
        let this = KBox::new(Self(Opaque::zeroed()), GFP_KERNEL)?;
        let p = this.0.get();
        // SAFETY: `p` is valid and not shared yet. All zeroes is an empty list, an empty tree and
        // a false flag.
        unsafe {
            ffi::mmn_init_locks(&raw mut (*p).lock, &raw mut (*p).wq);
            (*p).invalidate_seq = Seq::FIRST.raw();
        }
        Ok(this)
    }

    /// The state of `mm`, if it ever had a subscription.
    ///
    /// Once there, it stays for as long as `mm` does. The load is an acquire one, for callers that
    /// hold none of the locks under which it is published.
    pub(crate) fn of(mm: &Mm) -> Option<&Self> {
        // SAFETY: The slot is valid, and written by untorn stores only.
        let ptr = unsafe { atomic_load(slot(mm), Acquire) };
        // SAFETY: If not null it is an initialised structure that lives as long as `mm`.
        unsafe { ptr.as_ref() }
    }

    /// The state of an `mm` that is known to have some.
    ///
    /// # Safety
    ///
    /// `mm` must be valid for `'a` and its state published before this call.
    #[inline]
    pub(crate) unsafe fn of_subscribed<'a>(mm: *mut bindings::mm_struct) -> &'a Self {
        // SAFETY: By this function's own requirements.
        let ptr = unsafe { ffi::read_once(slot(Mm::from_raw(mm))) };
        // SAFETY: Published, hence not null and alive as long as `mm`.
        unsafe { &*ptr }
    }

    /// Publishes `this` as the state of the `mm` whose locks are held.
    pub(crate) fn publish<'a>(this: KBox<Self>, locks: &MmAllLocks<'a>) -> &'a Self {
        let ptr = KBox::into_raw(this);
        // The release pairs with the acquire in `of()`.
        //
        // SAFETY: The slot is valid and accessed by untorn loads and stores only.
        unsafe { atomic_store(slot(locks.mm()), ptr, Release) };
        // SAFETY: From here on it lives as long as the `mm`.
        unsafe { &*ptr }
    }

    /// Frees the state of a dead `mm` and poisons the pointer.
    ///
    /// A list that is not empty means a subscription whose pin of the `mm` was dropped too early.
    /// C stops the machine there; this warns and leaks what the subscription's links point into.
    ///
    /// # Safety
    ///
    /// `mm_count` of `mm` must have reached zero, and its state be published.
    pub(crate) unsafe fn destroy(mm: *mut bindings::mm_struct) {
        // SAFETY: The structure itself is freed only after this call.
        let slot = slot(unsafe { Mm::from_raw(mm) });
        // SAFETY: Nobody else has access to a dead `mm`.
        let ptr = unsafe { *slot };
        // SAFETY: Published, by this function's own requirements.
        let left_over = !unsafe { &*ptr }.list_is_empty();
        if !kernel::warn_on!(left_over) {
            // SAFETY: Allocated by `kmalloc()`, by the type invariant; nothing refers to it.
            unsafe { bindings::kfree(ptr.cast()) };
        }
        // SAFETY: As for the load above.
        unsafe { *slot = ffi::mmn_list_poison1().cast() };
    }

    /// Whether an interval subscription was ever inserted.
    #[inline]
    pub(crate) fn has_itree(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { ffi::read_once(&raw const (*self.0.get()).has_itree) }
    }

    /// Turns the interval side on.
    pub(crate) fn enable_itree(&self, _locks: &MmAllLocks<'_>) {
        // SAFETY: By the type invariant; only written under all of the `mm`'s locks.
        unsafe { ffi::write_once(&raw mut (*self.0.get()).has_itree, true) };
    }

    fn first(&self) -> *const *mut bindings::hlist_node {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw const (*self.0.get()).list.first }
    }

    /// Whether the list is empty at this moment.
    #[inline]
    pub(crate) fn list_is_empty(&self) -> bool {
        // SAFETY: By the type invariant; list heads are written by untorn stores.
        unsafe { ffi::read_once(self.first()) }.is_null()
    }

    /// The subscriptions on the list, the latest first.
    #[inline]
    pub(crate) fn iter<'g>(&'g self, _section: &'g Section) -> Iter<'g> {
        Iter {
            link: self.first(),
            _list: PhantomData,
        }
    }

    /// The queue of those who wait for the sequence to change.
    pub(crate) fn wait_queue(&self) -> *mut bindings::wait_queue_head {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw mut (*self.0.get()).wq }
    }

    /// Takes the spinlock.
    ///
    /// Context: any but interrupts; never sleeps.
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_> {
        let p = self.0.get();
        // SAFETY: By the type invariant.
        unsafe { ffi::spin_lock(&raw mut (*p).lock) };
        // INVARIANT: Just taken.
        Locked {
            p,
            _subs: PhantomData,
            _not_send: NotThreadSafe,
        }
    }
}

/// The state of one `mm`, with its spinlock held.
///
/// # Invariants
///
/// `p` is a valid [`Layout`] whose `lock` the current task holds until drop.
pub(crate) struct Locked<'a> {
    p: *mut Layout,
    _subs: PhantomData<&'a Subscriptions>,
    _not_send: NotThreadSafe,
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::spin_unlock(&raw mut (*self.p).lock) };
    }
}

impl Locked<'_> {
    /// The sequence.
    #[inline]
    pub(crate) fn seq(&self) -> Seq {
        // SAFETY: By the type invariant; only holders of the lock write to it.
        Seq::from_raw(unsafe { (*self.p).invalidate_seq })
    }

    /// Sets the sequence; those who wait for it must be woken.
    #[inline]
    pub(crate) fn set_seq(&mut self, seq: Seq) {
        // SAFETY: By the type invariant; C reads it without the lock as well, hence untorn.
        unsafe { ffi::write_once(&raw mut (*self.p).invalidate_seq, seq.raw()) };
    }

    /// Whether the interval tree is closed to changes.
    #[inline]
    pub(crate) fn is_invalidating(&self) -> bool {
        self.seq().is_invalidating()
    }

    /// How many invalidations run, met or not.
    #[inline]
    pub(crate) fn active_ranges(&mut self) -> &mut c_ulong {
        // SAFETY: By the type invariant; the field is only accessed under the lock.
        unsafe { &mut (*self.p).active_invalidate_ranges }
    }

    /// The interval tree.
    #[inline]
    pub(crate) fn itree(&mut self) -> *mut bindings::rb_root_cached {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw mut (*self.p).itree }
    }

    /// The list of tree changes that wait for the sequence to become even.
    #[inline]
    pub(crate) fn deferred(&mut self) -> *mut bindings::hlist_head {
        // SAFETY: By the type invariant; this only computes an address.
        unsafe { &raw mut (*self.p).deferred_list }
    }

    /// Puts a subscription at the head of the list.
    ///
    /// # Safety
    ///
    /// `subscription` must be valid, not on a list, and stay valid until a grace period after it
    /// has been unlinked.
    pub(crate) unsafe fn link(
        &mut self,
        subscription: NonNull<bindings::mmu_notifier>,
        _locks: &MmAllLocks<'_>,
    ) {
        // SAFETY: By this function's own requirements; the locks exclude invalidations.
        unsafe { self.link_alone(subscription) };
    }

    /// As [`Locked::link`], without the locks that exclude invalidations.
    ///
    /// # Safety
    ///
    /// As for [`Locked::link`]; no invalidation may run that has walked the list for its start, or
    /// is to walk it for its end.
    pub(crate) unsafe fn link_alone(&mut self, subscription: NonNull<bindings::mmu_notifier>) {
        // SAFETY: By this function's own requirements and the type invariant.
        unsafe {
            ffi::mmn_hlist_add_head_rcu(
                &raw mut (*subscription.as_ptr()).hlist,
                &raw mut (*self.p).list,
            )
        };
    }

    /// Takes a subscription off the list, if it still is on it.
    ///
    /// # Safety
    ///
    /// `subscription` must be valid, and on this list or on none.
    pub(crate) unsafe fn unlink(&mut self, subscription: NonNull<bindings::mmu_notifier>) {
        // SAFETY: By this function's own requirements; the lock excludes other writers.
        unsafe { ffi::mmn_hlist_del_init_rcu(&raw mut (*subscription.as_ptr()).hlist) };
    }

    /// Takes all subscriptions off the list.
    pub(crate) fn unlink_all(&mut self) {
        // SAFETY: By the type invariant; what is linked is valid, and each turn unlinks the first.
        unsafe {
            while let Some(node) = NonNull::new((*self.p).list.first) {
                ffi::mmn_hlist_del_init_rcu(node.as_ptr());
            }
        }
    }

    /// The subscription on the list whose table of operations is `ops`.
    ///
    /// It stays linked, hence valid, for as long as the lock is held.
    pub(crate) fn find(
        &self,
        ops: *const bindings::mmu_notifier_ops,
    ) -> Option<NonNull<bindings::mmu_notifier>> {
        let iter = Iter {
            // SAFETY: By the type invariant; this only computes an address.
            link: unsafe { &raw const (*self.p).list.first },
            _list: PhantomData,
        };
        iter.map(|subscription| subscription.0)
            // SAFETY: What is linked is valid.
            .find(|subscription| core::ptr::eq(unsafe { (*subscription.as_ptr()).ops }, ops))
    }
}

/// A subscription found on a list.
///
/// # Invariants
///
/// Valid for `'g`, the length of a section of the list's domain that was entered before it was
/// found.
#[derive(Clone, Copy)]
pub(crate) struct Subscription<'g>(NonNull<bindings::mmu_notifier>, PhantomData<&'g ()>);

impl<'g> Subscription<'g> {
    /// A subscription that the caller has, rather than found.
    ///
    /// # Safety
    ///
    /// It must be valid, with its table of operations, for `'g`.
    pub(crate) unsafe fn held(
        subscription: NonNull<bindings::mmu_notifier>,
        _section: &'g Section,
    ) -> Self {
        // INVARIANT: By this function's own requirements.
        Self(subscription, PhantomData)
    }

    /// As C callbacks take it.
    #[inline]
    pub(crate) fn as_ptr(self) -> *mut bindings::mmu_notifier {
        self.0.as_ptr()
    }

    /// Its address, to know it by.
    #[inline]
    pub(crate) fn key(self) -> *const c_void {
        self.0.as_ptr().cast()
    }

    /// The word that [`crate::age`] has it keep.
    #[cfg_attr(not(CONFIG_DEBUG_FS), allow(dead_code))]
    pub(crate) fn kept(self) -> *mut bindings::callback_head {
        // SAFETY: By the type invariant; written by untorn stores.
        unsafe { ffi::read_once(&raw const (*self.0.as_ptr()).rcu.next) }
    }

    /// The driver's table of operations.
    #[inline]
    pub(crate) fn ops(self) -> &'g bindings::mmu_notifier_ops {
        // SAFETY: By the type invariant. The table outlives the subscription, and both are set
        // before it is linked.
        unsafe { &*(*self.0.as_ptr()).ops }
    }
}

/// Walks a list inside a section of its domain.
///
/// # Invariants
///
/// `link` is the list's head, or the `next` of a subscription on it or just taken off it. Both are
/// valid for `'g`; the `next` of an unlinked one leads back onto the list.
pub(crate) struct Iter<'g> {
    link: *const *mut bindings::hlist_node,
    _list: PhantomData<&'g ()>,
}

impl<'g> Iterator for Iter<'g> {
    type Item = Subscription<'g>;

    /// Reads the link only now, after the previous subscription's callback has returned: what was
    /// unlinked meanwhile is no longer met.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: By the type invariant; links are written by untorn stores, and the loads that
        // follow depend on this address.
        let node = NonNull::new(unsafe { ffi::read_once(self.link) })?;
        // INVARIANT: `node` was on the list within the section.
        // SAFETY: As above; this only computes an address.
        self.link = unsafe { &raw const (*node.as_ptr()).next };
        // SAFETY: Every node on the list is the `hlist` of a `struct mmu_notifier`.
        let subscription = unsafe { container_of!(node.as_ptr(), bindings::mmu_notifier, hlist) };
        // SAFETY: Computed from a pointer that is not null.
        let subscription = unsafe { NonNull::new_unchecked(subscription) };
        // INVARIANT: As above.
        Some(Subscription(subscription, PhantomData))
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/subscriptions.rs"]
mod tests;
