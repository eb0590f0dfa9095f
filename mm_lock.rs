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
    ffi::c_int,
    mm::Mm,
    prelude::*,
    task::might_sleep, //
};

use crate::{
    ffi,
    mm::WriteLocked,
    mode::{
        self,
        Gate, //
    },
    smallest::Smallest, //
};

/// How many locks are kept in mind at a time when there is no memory for all.
const BATCH: usize = 32;

/// The classes, in the order in which they nest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    HugetlbMapping,
    Mapping,
    AnonVma,
}

/// One lock of an address space; the derived order is the one in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Lock {
    class: Class,
    sem: *mut bindings::rw_semaphore,
}

/// All locks of an address space, held for writing until drop.
///
/// # Invariants
///
/// Every lock that the module's documentation lists is held by the current task: by the kernel's
/// function if `plan` is `None`, else those that `plan` yields.
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
        loop {
            // Before the gate: a change of mode need not wait for reclaim.
            let plan = if mode::is_native() {
                mark_vmas(mm)?;
                Some(Plan::of(mm)?)
            } else {
                None
            };
            let gate = Gate::enter();
            if plan.is_some() != gate.is_native() {
                continue;
            }
            match &plan {
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
            Some(plan) => unsafe { plan.release(self.mm, None) },
            // SAFETY: By the type invariant the kernel's function took them.
            None => unsafe { ffi::mmn_mm_drop_all_locks(self.mm.mm().as_raw()) },
        }
    }
}

/// In which order to visit the locks of an address space.
enum Plan {
    /// All of them, sorted; repeats follow each other.
    Listed(KVVec<Lock>),
    /// No memory for a list: look for the next few again and again.
    Searched,
}

impl Plan {
    /// Makes a plan. It is good for as long as the `mmap_lock` is held: no VMA comes or goes or
    /// gains an anon_vma meanwhile.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal is pending.
    fn of(mm: WriteLocked<'_>) -> Result<Self> {
        if crate::never_list_locks() {
            return Ok(Self::Searched);
        }
        let mut count = 0usize;
        for_each_lock(mm, |_| count = count.wrapping_add(1))?;
        let Some(mut locks) = list_for(count) else {
            return Ok(Self::Searched);
        };
        let mut fits = true;
        for_each_lock(mm, |lock| fits &= locks.push_within_capacity(lock).is_ok())?;
        if !fits {
            return Ok(Self::Searched);
        }
        sort(&mut locks);
        Ok(Self::Listed(locks))
    }

    /// Visits the locks in order until `visit` fails.
    fn visit(&self, mm: WriteLocked<'_>, mut visit: impl FnMut(Lock) -> Result) -> Result {
        match self {
            Self::Listed(locks) => {
                let mut last = None;
                for &lock in locks {
                    if last.replace(lock) != Some(lock) {
                        visit(lock)?;
                    }
                }
                Ok(())
            }
            Self::Searched => visit_searched(mm, &mut visit),
        }
    }

    /// Takes all locks.
    ///
    /// # Errors
    ///
    /// `EINTR` if a signal is pending; nothing is held then.
    fn take(&self, mm: WriteLocked<'_>) -> Result {
        let mut last = None;
        let result = self.visit(mm, |lock| {
            check_signal()?;
            // Deadlock-free by the order of this module.
            //
            // SAFETY: The lock belongs to a VMA of `mm`, which keeps it, and which cannot go while
            // the `mmap_lock` is held.
            unsafe { ffi::mmn_down_write_nested_in(lock.sem, mm.mm().as_raw()) };
            last = Some(lock);
            Ok(())
        });
        if result.is_err() {
            if let Some(last) = last {
                // SAFETY: All up to the last one were taken above.
                unsafe { self.release(mm, Some(last)) };
            }
        }
        result
    }

    /// Releases the locks up to and including `last`, or all of them.
    ///
    /// # Safety
    ///
    /// The current task must hold those, from [`Plan::take`] of this plan.
    unsafe fn release(&self, mm: WriteLocked<'_>, last: Option<Lock>) {
        // The error only ends the visit.
        let _ = self.visit(mm, |lock| {
            if last.is_some_and(|last| lock > last) {
                return Err(EINTR);
            }
            // SAFETY: By this function's own requirements; the VMAs are the same.
            unsafe { bindings::up_write(lock.sem) };
            Ok(())
        });
    }
}

/// Visits the locks in order, with a few of them in mind at a time, until `visit` fails.
///
/// Out of line, to keep its batch off the stack of those who have a list.
#[inline(never)]
fn visit_searched(mm: WriteLocked<'_>, visit: &mut dyn FnMut(Lock) -> Result) -> Result {
    let mut batch = Smallest::<Lock, BATCH>::new();
    loop {
        might_sleep();
        // Not interruptible: what was taken must be found again to be released.
        for_each_lock_uninterrupted(mm, |lock| batch.offer(lock));
        if batch.is_empty() {
            return Ok(());
        }
        batch.iter().try_for_each(&mut *visit)?;
        batch.advance();
    }
}

/// An empty list with room for `count` locks, unless memory is short.
///
/// Context: sleeps, but would rather fail than have a process killed.
fn list_for(count: usize) -> Option<KVVec<Lock>> {
    if count == 0 {
        return Some(KVVec::new());
    }
    // SAFETY: No preconditions.
    let memory = unsafe { ffi::mmn_kvmalloc_array(count, size_of::<Lock>()) };
    let memory = NonNull::new(memory.cast::<Lock>())?;
    // SAFETY: Allocated by `kvmalloc()`, as `KVVec` does, for `count` locks; none is there yet.
    Some(unsafe { KVVec::from_raw_parts(memory.as_ptr(), 0, count) })
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

/// `EINTR` if a signal is pending.
fn check_signal() -> Result {
    if current!().signal_pending() {
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
        let vma = unsafe { ffi::mmn_vma_next(iter.as_mut_ptr()) };
        if vma.is_null() {
            return Ok(());
        }
        visit(vma)?;
    }
}

/// Marks every VMA as being written to, until the `mmap_lock` is released: faults that hold only a
/// VMA's own lock are over, and no new one begins.
///
/// # Errors
///
/// `EINTR` if a signal is pending.
fn mark_vmas(mm: WriteLocked<'_>) -> Result {
    for_each_vma(mm, |vma| {
        check_signal()?;
        // SAFETY: `vma` is valid and its `mmap_lock` held for writing.
        unsafe { ffi::mmn_vma_start_write(vma) };
        Ok(())
    })
}

/// Visits the locks of an address space in the order of its VMAs, with repeats.
///
/// # Errors
///
/// `EINTR` if a signal is pending.
fn for_each_lock(mm: WriteLocked<'_>, mut visit: impl FnMut(Lock)) -> Result {
    for_each_vma(mm, |vma| {
        check_signal()?;
        // SAFETY: `vma` is valid and its `mmap_lock` held for writing.
        unsafe { locks_of(vma, &mut visit) };
        Ok(())
    })
}

/// As [`for_each_lock`], whatever signals are pending.
fn for_each_lock_uninterrupted(mm: WriteLocked<'_>, mut visit: impl FnMut(Lock)) {
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
unsafe fn locks_of(vma: *mut bindings::vm_area_struct, visit: &mut impl FnMut(Lock)) {
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
            visit(Lock {
                class,
                sem: &raw mut (*(*file).f_mapping).i_mmap_rwsem,
            });
        }
        if !(*vma).anon_vma.is_null() {
            let mut avc = ffi::mmn_avc_next(vma, core::ptr::null());
            while !avc.is_null() {
                visit(Lock {
                    class: Class::AnonVma,
                    sem: ffi::mmn_avc_root_rwsem(avc),
                });
                avc = ffi::mmn_avc_next(vma, avc);
            }
        }
    }
}
