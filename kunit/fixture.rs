// SPDX-License-Identifier: GPL-2.0

//! What the KUnit tests share: an address space without a process, threads, and a notebook.

use core::{
    cell::Cell,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KBox, //
    },
    bindings,
    error::from_err_ptr,
    ffi::{
        c_int,
        c_long,
        c_uint,
        c_void, //
    },
    mm::Mm,
    prelude::*,
    str::CStrExt,
    sync::atomic::{
        ordering::{
            Acquire,
            Release, //
        },
        Atomic, //
    }, //
};

use crate::{
    mm::with_write_lock,
    registration::{
        self,
        What, //
    },
    subscriptions::Subscriptions,
    ticks::HZ, //
};

/// An address space of nobody, without a single VMA.
pub(crate) struct Space(NonNull<bindings::mm_struct>);

// SAFETY: The structure has locks of its own.
unsafe impl Sync for Space {}

impl Space {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No preconditions.
        NonNull::new(unsafe { bindings::mm_alloc() })
            .map(Self)
            .ok_or(ENOMEM)
    }

    /// One with its interval side turned on.
    pub(crate) fn with_itree() -> Result<Self> {
        let space = Self::new()?;
        // SAFETY: There is no subscription.
        with_write_lock(space.mm(), |mm| unsafe {
            registration::register(What::Itree, mm)
        })?;
        Ok(space)
    }

    pub(crate) fn raw(&self) -> *mut bindings::mm_struct {
        self.0.as_ptr()
    }

    pub(crate) fn mm(&self) -> &Mm {
        // SAFETY: It is kept until drop.
        unsafe { Mm::from_raw(self.raw()) }
    }

    /// Its state, which must be there.
    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        // SAFETY: By the caller's word, which a test gives.
        unsafe { Subscriptions::of_subscribed(self.raw()) }
    }

    /// Runs `f` while nobody seems to use the address space.
    pub(crate) fn without_users<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: Nobody else knows of it.
        let users = unsafe { &raw mut (*self.raw()).__bindgen_anon_1.mm_users.counter };
        // SAFETY: As above.
        let before = unsafe { users.replace(0) };
        let result = f();
        // SAFETY: As above.
        unsafe { users.write(before) };
        result
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // SAFETY: Gives up what `new()` got. Runs all of `exit_mmap()`, hence the release.
        unsafe { bindings::mmput(self.raw()) };
    }
}

/// A thread that runs beside a test; dropped, it is waited for.
pub(crate) struct Thread<'a> {
    task: NonNull<bindings::task_struct>,
    progress: KBox<Progress>,
    _job: PhantomData<&'a ()>,
}

struct Progress {
    begun: Atomic<bool>,
    done: Atomic<bool>,
}

struct Job<F> {
    run: F,
    progress: *const Progress,
}

/// Runs a job.
///
/// # Safety
///
/// `job` must be a [`Job<F>`], which the caller gives away.
unsafe extern "C" fn main<F: FnOnce()>(job: *mut c_void) -> c_int {
    // SAFETY: `Thread::start()` gives it away.
    let job = KBox::into_inner(unsafe { KBox::from_raw(job.cast::<Job<F>>()) });
    // SAFETY: The thread is waited for before this goes.
    let progress = unsafe { &*job.progress };
    progress.begun.store(true, Release);
    (job.run)();
    progress.done.store(true, Release);
    0
}

impl<'a> Thread<'a> {
    /// Returns when it has begun.
    pub(crate) fn start<F: FnOnce() + 'a>(run: F) -> Result<Self> {
        let progress = KBox::new(
            Progress {
                begun: Atomic::new(false),
                done: Atomic::new(false),
            },
            GFP_KERNEL,
        )?;
        let job = KBox::new(
            Job {
                run,
                progress: &*progress,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: `main` takes just this job.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(main::<F>),
                KBox::into_raw(job).cast(),
                bindings::NUMA_NO_NODE,
                c"mmn_kunit".as_char_ptr(),
            )
        })?;
        // SAFETY: It has not begun, so it is there.
        unsafe {
            bindings::get_task_struct(task);
            bindings::wake_up_process(task);
        }
        let thread = Self {
            task: NonNull::new(task).ok_or(ENOMEM)?,
            progress,
            _job: PhantomData,
        };
        while !thread.progress.begun.load(Acquire) {
            pause(1);
        }
        Ok(thread)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.progress.done.load(Acquire)
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        while !self.is_done() {
            pause(1);
        }
        // SAFETY: Held since the start; it does not ask whether it is to stop.
        unsafe { bindings::kthread_stop_put(self.task.as_ptr()) };
    }
}

/// Lets others run for some ticks.
pub(crate) fn pause(ticks: c_long) {
    // SAFETY: Tests may sleep.
    unsafe { bindings::schedule_timeout_uninterruptible(ticks) };
}

/// Waits until `condition` holds; false if it does not within a long time.
pub(crate) fn wait_until(condition: impl Fn() -> bool) -> bool {
    for _ in 0..60 * HZ {
        if condition() {
            return true;
        }
        pause(1);
    }
    condition()
}

/// Runs `f`, and tells how many warnings of the kernel it came to, which are not printed.
pub(crate) fn warnings_in<R>(f: impl FnOnce() -> R) -> (R, c_int) {
    // SAFETY: Called by a test only.
    unsafe {
        let test = bindings::kunit_get_current_test();
        let handle = bindings::kunit_start_suppress_warning(test);
        let result = f();
        let count = bindings::kunit_suppressed_warning_count(handle);
        bindings::kunit_end_suppress_warning(test, handle);
        (result, count)
    }
}

/// What callbacks have noted, in order.
pub(crate) struct Notes {
    entries: [Cell<c_uint>; 16],
    len: Cell<usize>,
}

impl Notes {
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { Cell::new(0) }; 16],
            len: Cell::new(0),
        }
    }

    pub(crate) fn add(&self, entry: c_uint) {
        if let Some(free) = self.entries.get(self.len.get()) {
            free.set(entry);
        }
        self.len.set(self.len.get().saturating_add(1));
    }

    /// Whether these were noted since the last call.
    pub(crate) fn are(&self, wanted: &[c_uint]) -> bool {
        let len = self.len.replace(0);
        let same = self
            .entries
            .iter()
            .take(len)
            .map(Cell::get)
            .eq(wanted.iter().copied());
        if !same {
            pr_info!("noted {} entries:\n", len);
            for entry in self.entries.iter().take(len) {
                pr_info!("  {}\n", entry.get());
            }
        }
        same
    }
}
