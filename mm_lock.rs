// SPDX-License-Identifier: GPL-2.0

//! Every lock under which the VM may invalidate an address space, taken at once.
//!
//! A registration must not overlap a running `invalidate_range_start`/`_end`: the new driver would
//! see an end without its start, or map a page that is about to go. The VM invalidates with the
//! `mmap_lock`, the `i_mmap_rwsem` of a mapping or the `rwsem` of an anon_vma root held; whoever
//! holds all of them for writing is alone with the page tables.
//!
//! # Order
//!
//! By class, in the order of `mm/rmap.c`, and by address inside a class:
//!
//! 1. `mmap_lock`, held by the caller;
//! 2. every VMA marked as being written to, so that no fault takes its per-VMA lock;
//! 3. `i_mmap_rwsem` of hugetlbfs mappings;
//! 4. `i_mmap_rwsem` of other mappings;
//! 5. `rwsem` of anon_vma roots.
//!
//! The VM nests locks of different classes in this order and never two of one class (as C assumes,
//! too: nothing may enter reclaim while it holds one of the last two classes), so the order by
//! address is what keeps two registrations apart, and no mutex is needed. In compatible mode
//! the kernel's own `mm_take_all_locks()` is called instead, see [`crate::mode`].
//!
//! Only those who wait need an order. So the locks of 3 to 5 are listed in the pass over the VMAs
//! that marks them, and then tried as they come, those of anon_vmas first: nobody is waited for
//! while one is held. If one stays busy, all are released before it is waited for. Who
//! meets a busy one too often sorts the list, and waits in the order above.
//!
//! A lock that several VMAs share is known by its owner: what the current task holds, it has taken
//! here.
//!
//! C counterpart: `mm_take_all_locks()` in `mm/vma.c`.

use core::{
    ffi::c_void,
    mem::{
        size_of,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::KVVec,
    bindings,
    current,
    error::{
        code::EINTR,
        to_result, //
    },
    ffi::{
        c_int,
        c_ulong, //
    },
    mm::Mm,
    prelude::*,
    processor::cpu_relax,
    task::{
        might_sleep,
        Task, //
    }, //
};

use crate::{
    ffi,
    lock::{
        self,
        private_first,
        Class, //
    },
    mm::WriteLocked,
    mode::{
        self,
        Gate, //
    },
    observe::{
        self,
        Watch, //
    },
    smallest::Smallest, //
};

/// How many locks are kept in mind at a time when there is no memory for all.
const BATCH: usize = 32;

/// How often all locks are tried before they are waited for in order.
///
/// lockdep keeps count of nested locks only if they are waited for.
const ATTEMPTS: usize = if cfg!(CONFIG_LOCKDEP) { 0 } else { 4 };

/// How often a busy lock is looked at before all others are released: some microseconds, as long
/// as another registration keeps a mapping.
const LOOKS: usize = 256;

type Lock = lock::Lock<bindings::rw_semaphore>;

impl Lock {
    /// Whether `task`, which is the current one, holds it for writing.
    fn is_held_by(self, task: *mut bindings::task_struct) -> bool {
        #[cfg(not(CONFIG_PREEMPT_RT))]
        // SAFETY: Whoever named the lock keeps it, and its owner is only written atomically.
        let owner = unsafe { ffi::read_once(&raw const (*self.as_ptr()).owner.counter) as usize };
        #[cfg(CONFIG_PREEMPT_RT)]
        // SAFETY: As above.
        let owner = unsafe {
            // The low bit tells of waiters.
            ffi::read_once(&raw const (*self.as_ptr()).rwbase.rtmutex.owner) as usize & !1
        };
        // Readers leave a low bit behind, and no other task makes the current one an owner.
        owner == task as usize
    }

    /// Takes it for writing unless that means waiting.
    ///
    /// # Safety
    ///
    /// The lock must be valid.
    unsafe fn try_take(self) -> bool {
        // SAFETY: By this function's own requirements.
        unsafe { bindings::down_write_trylock(self.as_ptr()) != 0 }
    }

    /// Tries for as long as another registration keeps a lock that it tries last.
    ///
    /// # Safety
    ///
    /// The lock must be valid.
    #[cold]
    unsafe fn try_for_long(self) -> bool {
        (0..LOOKS).any(|_| {
            cpu_relax();
            // A look leaves the line with whoever holds the lock, a try does not.
            //
            // SAFETY: By this function's own requirements.
            unsafe { !ffi::mmn_rwsem_is_locked(self.as_ptr()) && self.try_take() }
        })
    }

    /// Takes it for writing.
    ///
    /// Context: sleeps.
    ///
    /// # Safety
    ///
    /// The lock must be valid, and the locks that the current task holds come before it.
    unsafe fn take(self, mm: WriteLocked<'_>) {
        // SAFETY: By this function's own requirements.
        unsafe { ffi::mmn_down_write_nested_in(self.as_ptr(), mm.mm().as_raw()) };
    }

    /// Releases it if `task`, which is the current one, holds it.
    ///
    /// # Safety
    ///
    /// The lock must be valid, and if it is held, then by this module.
    unsafe fn release(self, task: *mut bindings::task_struct) {
        if self.is_held_by(task) {
            // SAFETY: By this function's own requirements.
            unsafe { bindings::up_write(self.as_ptr()) };
        }
    }
}

/// All locks of an address space, held for writing until drop.
///
/// # Invariants
///
/// Every lock that the module's documentation lists is held by the current task: by the kernel's
/// function if `plan` is `None`, else by `plan`.
pub(crate) struct MmAllLocks<'a> {
    mm: WriteLocked<'a>,
    plan: Option<Plan>,
    // Released last.
    _gate: Gate,
}

impl<'a> MmAllLocks<'a> {
    /// Takes them.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal is pending; nothing is held then. Want of memory is no error.
    ///
    /// Context: sleeps. No lock of the VM but the `mmap_lock` may be held.
    pub(crate) fn take(mm: WriteLocked<'a>) -> Result<Self> {
        if observe::is_on() {
            Self::take_observed(mm)
        } else {
            Self::take_in_peace(mm)
        }
    }

    #[cold]
    #[inline(never)]
    fn take_observed(mm: WriteLocked<'a>) -> Result<Self> {
        let watch = Watch::start();
        let result = Self::take_in_peace(mm);
        let time = watch.read();
        let ret = result.as_ref().map_or_else(|error| error.to_errno(), |_| 0);
        let plan = result.as_ref().ok().and_then(|locks| locks.plan.as_ref());
        let locks = match plan {
            Some(Plan::Listed(locks)) => locks.len(),
            _ => 0,
        };
        // Who has failed has no plan to tell.
        let native = plan.is_some() || result.is_err() && mode::is_native();
        // SAFETY: `mm` is valid.
        unsafe {
            let mm_ptr = mm.mm().as_raw();
            ffi::mmn_trace_mm_lock(mm_ptr, map_count(mm), locks, native, ret, time)
        };
        result
    }

    fn take_in_peace(mm: WriteLocked<'a>) -> Result<Self> {
        loop {
            // Before the gate: a change of mode need not wait for reclaim.
            let mut plan = if mode::is_native() {
                Some(Plan::of(mm)?)
            } else {
                None
            };
            let gate = Gate::enter();
            if plan.is_some() != gate.is_native() {
                continue;
            }
            match &mut plan {
                Some(plan) => plan.take(mm)?,
                // SAFETY: `mm` is valid and its `mmap_lock` is held for writing.
                None => to_result(unsafe { ffi::mmn_mm_take_all_locks(mm.mm().as_raw()) })?,
            }
            // INVARIANT: Just taken, one way or the other.
            return Ok(Self {
                mm,
                plan,
                _gate: gate,
            });
        }
    }

    /// The address space.
    pub(crate) fn mm(&self) -> &'a Mm {
        self.mm.mm()
    }
}

impl Drop for MmAllLocks<'_> {
    fn drop(&mut self) {
        match &self.plan {
            // SAFETY: By the type invariant they were taken by this plan.
            Some(plan) => unsafe { plan.release(self.mm) },
            // SAFETY: By the type invariant the kernel's function took them.
            None => unsafe { ffi::mmn_mm_drop_all_locks(self.mm.mm().as_raw()) },
        }
    }
}

/// How to find the locks of an address space.
///
/// It is good for as long as the `mmap_lock` is held: no VMA comes or goes or gains an anon_vma
/// meanwhile.
enum Plan {
    /// All of them, perhaps more than once.
    Listed(KVVec<Lock>),
    /// No memory for a list: look for them again and again.
    Searched,
}

/// Whether to act as if there were no memory for a list.
fn searched() -> bool {
    // SAFETY: No preconditions.
    unsafe { ffi::mmn_mm_lock_searched() }
}

impl Plan {
    /// Marks every VMA as being written to, until the `mmap_lock` is released, and makes a plan.
    ///
    /// Faults that hold only a VMA's own lock are over then, and no new one begins. They take
    /// locks of the list, so none of those is held before all VMAs are marked.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal is pending.
    ///
    /// Context: sleeps.
    fn of(mm: WriteLocked<'_>) -> Result<Self> {
        let task = current!();
        let mut list = if searched() {
            None
        } else {
            list_for(likely_count(mm))
        };
        for_each_vma(mm, |vma| {
            check_signal(task)?;
            // SAFETY: `vma` is valid and its `mmap_lock` held for writing.
            unsafe { ffi::mmn_vma_start_write(vma) };
            if list.is_some() {
                // SAFETY: As above.
                unsafe { locks_of(vma, |lock| add(&mut list, lock)) };
            }
            Ok(())
        })?;
        Ok(match list {
            Some(mut locks) => {
                private_first(&mut locks);
                Self::Listed(locks)
            }
            None => Self::Searched,
        })
    }

    /// Takes all locks.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal is pending while it waits; nothing is held then.
    ///
    /// Context: sleeps.
    fn take(&mut self, mm: WriteLocked<'_>) -> Result {
        let task = current!();
        let result = match self {
            Self::Listed(locks) => take_listed(locks, mm, task),
            Self::Searched => visit_searched(mm, &mut |lock| take_next(lock, mm, task)),
        };
        if result.is_err() {
            // SAFETY: What was taken, this plan has taken.
            unsafe { self.release(mm) };
        }
        result
    }

    /// Releases what is held of the locks; if they were tried as they come, those first that
    /// processes share.
    ///
    /// # Safety
    ///
    /// They must come from [`Plan::take`] of this plan.
    unsafe fn release(&self, mm: WriteLocked<'_>) {
        let task = current!().as_ptr();
        match self {
            // SAFETY: The VMAs keep them; by this function's own requirements.
            Self::Listed(locks) => unsafe { release_listed(locks, task) },
            Self::Searched => for_each_lock(mm, |lock| {
                // SAFETY: As above.
                unsafe { lock.release(task) };
            }),
        }
    }
}

/// Takes the locks of a list: in any order if none of them is busy for long.
///
/// # Errors
///
/// `EINTR` if a signal is pending while it waits; some locks may be held then.
///
/// Context: sleeps.
fn take_listed(locks: &mut [Lock], mm: WriteLocked<'_>, task: &Task) -> Result {
    for _ in 0..ATTEMPTS {
        let Some(busy) = try_listed(locks, task.as_ptr()) else {
            return Ok(());
        };
        // SAFETY: The VMAs keep the lock. No other one is held.
        unsafe {
            busy.take(mm);
            busy.release(task.as_ptr());
        }
        check_signal(task)?;
    }
    sort(locks);
    locks.iter().try_for_each(|&lock| take_next(lock, mm, task))
}

/// Takes the locks of a list without waiting. Returns one that stays busy; none is held then.
fn try_listed(locks: &[Lock], task: *mut bindings::task_struct) -> Option<Lock> {
    for (i, &lock) in locks.iter().enumerate() {
        // SAFETY: The VMAs keep the lock.
        if !lock.is_held_by(task) && !unsafe { lock.try_take() || lock.try_for_long() } {
            let taken = locks.get(..i).unwrap_or(locks);
            // SAFETY: Taken above.
            unsafe { release_listed(taken, task) };
            return Some(lock);
        }
    }
    None
}

/// Releases what is held of the locks of a list, the last one first.
///
/// # Safety
///
/// The locks must be valid, and those that are held come from [`take_listed`].
unsafe fn release_listed(locks: &[Lock], task: *mut bindings::task_struct) {
    for lock in locks.iter().rev() {
        // SAFETY: By this function's own requirements.
        unsafe { lock.release(task) };
    }
}

/// Takes a lock unless it is held, waiting for it; those that are held must come before it.
///
/// # Errors
///
/// `EINTR` if a signal is pending.
///
/// Context: sleeps.
fn take_next(lock: Lock, mm: WriteLocked<'_>, task: &Task) -> Result {
    check_signal(task)?;
    if !lock.is_held_by(task.as_ptr()) {
        // Deadlock-free by the order of this module.
        //
        // SAFETY: The lock belongs to a VMA of `mm`, which keeps it, and which cannot go while
        // the `mmap_lock` is held.
        unsafe { lock.take(mm) };
    }
    Ok(())
}

/// Visits the locks in order, with a few of them in mind at a time, until `visit` fails.
///
/// Out of line, to keep its batch off the stack of those who have a list.
#[inline(never)]
fn visit_searched(mm: WriteLocked<'_>, visit: &mut dyn FnMut(Lock) -> Result) -> Result {
    let mut batch = Smallest::<Lock, BATCH>::new();
    loop {
        might_sleep();
        for_each_lock(mm, |lock| batch.offer(lock));
        if batch.is_empty() {
            return Ok(());
        }
        batch.iter().try_for_each(&mut *visit)?;
        batch.advance();
    }
}

/// How long a list is likely to be: each VMA has a mapping or an anon_vma, and seldom more.
fn likely_count(mm: WriteLocked<'_>) -> usize {
    map_count(mm).saturating_add(8)
}

/// How many VMAs there are.
fn map_count(mm: WriteLocked<'_>) -> usize {
    // SAFETY: `mm` is valid, and its count changes with the `mmap_lock` held for writing only.
    let vmas = unsafe { (*mm.mm().as_raw()).__bindgen_anon_1.map_count };
    usize::try_from(vmas).unwrap_or(0)
}

/// An empty list with room for `count` locks, unless memory is short.
///
/// Context: sleeps, but would rather fail than have a process killed.
fn list_for(count: usize) -> Option<KVVec<Lock>> {
    // SAFETY: No preconditions.
    let memory = unsafe { ffi::mmn_kvmalloc_array(count, size_of::<Lock>()) };
    let memory = NonNull::new(memory.cast::<Lock>())?;
    // SAFETY: Allocated by `kvmalloc()`, as `KVVec` does, for `count` locks; none is there yet.
    Some(unsafe { KVVec::from_raw_parts(memory.as_ptr(), 0, count) })
}

/// Adds a lock to a list, which is gone if memory is too short for it.
fn add(list: &mut Option<KVVec<Lock>>, lock: Lock) {
    let Some(locks) = list else {
        return;
    };
    // One mapping, or one anon_vma, is behind many VMAs in a row, or both are.
    if locks.iter().rev().take(2).any(|&last| last == lock) {
        return;
    }
    if locks.push_within_capacity(lock).is_err() {
        *list = grown(locks, lock);
    }
}

/// A copy of a list that is full, with room to grow and one lock more.
#[cold]
fn grown(locks: &[Lock], lock: Lock) -> Option<KVVec<Lock>> {
    let mut copy = list_for(locks.len().checked_mul(2)?)?;
    for &lock in locks {
        copy.push_within_capacity(lock).ok()?;
    }
    copy.push_within_capacity(lock).ok()?;
    Some(copy)
}

/// Sorts in place. Not `slice::sort_unstable()`, whose recursion a kernel stack cannot afford.
fn sort(locks: &mut [Lock]) {
    /// # Safety
    ///
    /// Both must point at a [`Lock`].
    unsafe extern "C" fn compare(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: By this function's own requirements.
        let (a, b) = unsafe { (&*a.cast::<Lock>(), &*b.cast::<Lock>()) };
        a.cmp(b) as c_int
    }
    // SAFETY: Base, number and size describe the slice, and `compare` is for its elements, which
    // are plain data.
    unsafe {
        ffi::mmn_sort(
            locks.as_mut_ptr().cast(),
            locks.len(),
            size_of::<Lock>(),
            Some(compare),
        )
    };
}

/// `EINTR` if `task`, which is the current one, has a signal pending.
fn check_signal(task: &Task) -> Result {
    if task.signal_pending() {
        Err(EINTR)
    } else {
        Ok(())
    }
}

/// Visits the VMAs of an address space until `visit` fails.
fn for_each_vma(
    mm: WriteLocked<'_>,
    mut visit: impl FnMut(*mut bindings::vm_area_struct) -> Result,
) -> Result {
    let mut iter = MaybeUninit::<bindings::vma_iterator>::uninit();
    // SAFETY: `iter` is valid for writes and `mm` valid.
    unsafe { ffi::mmn_vma_iter_init(iter.as_mut_ptr(), mm.mm().as_raw()) };
    loop {
        // SAFETY: Initialised above; the VMAs do not change while the `mmap_lock` is held.
        let vma = unsafe { bindings::mas_find(&raw mut (*iter.as_mut_ptr()).mas, c_ulong::MAX) };
        if vma.is_null() {
            return Ok(());
        }
        visit(vma.cast())?;
    }
}

/// Visits the locks of an address space in the order of its VMAs, with repeats.
fn for_each_lock(mm: WriteLocked<'_>, mut visit: impl FnMut(Lock)) {
    let _ = for_each_vma(mm, |vma| {
        // SAFETY: `vma` is valid and its `mmap_lock` held for writing.
        unsafe { locks_of(vma, &mut visit) };
        Ok(())
    });
}

/// Visits the locks of one VMA.
///
/// # Safety
///
/// `vma` must be valid and the `mmap_lock` of its `mm` held for writing.
unsafe fn locks_of(vma: *mut bindings::vm_area_struct, mut visit: impl FnMut(Lock)) {
    // SAFETY: By this function's own requirements: file and mapping belong to the VMA, and its
    // anon_vma and chain change under the `mmap_lock` only.
    unsafe {
        let file = (*vma).vm_file;
        if !file.is_null() && !(*file).f_mapping.is_null() {
            // By the file, so that one lock has one class, whatever the VMA.
            let class = if ffi::mmn_file_is_hugetlb(file) {
                Class::HugetlbMapping
            } else {
                Class::Mapping
            };
            let lock = &raw mut (*(*file).f_mapping).i_mmap_rwsem;
            visit(Lock::new(class, NonNull::new_unchecked(lock)));
        }
        if !(*vma).anon_vma.is_null() {
            let chain = &raw mut (*vma).anon_vma_chain;
            let mut link = (*chain).next;
            while link != chain {
                let lock = ffi::mmn_avc_root_rwsem(link);
                visit(Lock::new(Class::AnonVma, NonNull::new_unchecked(lock)));
                link = (*link).next;
            }
        }
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/mm_lock.rs"]
mod tests;
