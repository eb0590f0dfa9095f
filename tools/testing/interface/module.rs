// SPDX-License-Identifier: GPL-2.0

//! Runs the examples of the documentation of `mmu_notifier`, which `generate.py` puts below.
//!
//! They run in the process that loads the module, which is told in TAP what came of them.

use core::{
    ops::Range,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    current,
    fmt,
    mm::MmWithUser,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

module! {
    type: Doctests,
    name: "mmu_notifier_doctests",
    authors: ["The MMU notifier project"],
    description: "The examples of the interface to MMU notifiers",
    license: "GPL",
}

const PAGES: usize = 4;
// Of the uapi, which has no Rust names for them; the same on every architecture with the kernel's
// generic ones.
const PROT_READ_WRITE: usize = 0x1 | 0x2;
const MAP_PRIVATE_ANONYMOUS: usize = 0x02 | 0x20;

struct Example {
    /// "item (file:line)".
    name: &'static str,
    run: fn(&MmWithUser, Range<usize>, fn(Range<usize>)),
}

/// How often the running example has failed.
static FAILURES: Atomic<u32> = Atomic::<u32>::new(0);

/// Fails the running example, which goes on.
pub(crate) fn failed(why: fmt::Arguments<'_>) {
    FAILURES.fetch_add(1, Relaxed);
    pr_info!("# {}\n", why);
}

/// As the usual one, but does not stop the machine.
#[allow(unused_macros)]
macro_rules! assert {
    ($condition:expr $(, $($message:tt)*)?) => {
        if !$condition {
            crate::failed(::kernel::prelude::fmt!(
                "line {}: {} does not hold",
                line!() - ANCHOR,
                stringify!($condition),
            ));
        }
    };
}

/// As the usual one, but does not stop the machine.
#[allow(unused_macros)]
macro_rules! assert_eq {
    ($left:expr, $right:expr $(, $($message:tt)*)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    crate::failed(::kernel::prelude::fmt!(
                        "line {}: {} is {:?}, not {:?}",
                        line!() - ANCHOR,
                        stringify!($left),
                        left,
                        right,
                    ));
                }
            }
        }
    };
}

fn map() -> Result<Range<usize>> {
    let length = PAGES * PAGE_SIZE;
    // SAFETY: The current task has an mm, and holds no lock.
    let start = unsafe {
        bindings::vm_mmap(
            null_mut(),
            0,
            length,
            PROT_READ_WRITE,
            MAP_PRIVATE_ANONYMOUS,
            0,
        )
    };
    if start % PAGE_SIZE != 0 {
        return Err(ENOMEM);
    }
    Ok(start..start + length)
}

fn unmap(addresses: Range<usize>) {
    // SAFETY: The current task has an mm, and holds no lock.
    let failure = unsafe { bindings::vm_munmap(addresses.start, addresses.len()) };
    if failure != 0 {
        failed(fmt!(
            "unmap({:#x}..{:#x}): {}",
            addresses.start,
            addresses.end,
            failure
        ));
    }
}

struct Doctests;

impl kernel::Module for Doctests {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let task = current!();
        let mm = task.mm().ok_or(ESRCH)?;
        pr_info!("1..{}\n", EXAMPLES.len());
        for (number, example) in (1..).zip(EXAMPLES) {
            FAILURES.store(0, Relaxed);
            let memory = map()?;
            (example.run)(mm, memory.clone(), unmap);
            unmap(memory);
            let verdict = match FAILURES.load(Relaxed) {
                0 => "ok",
                _ => "not ok",
            };
            pr_info!("{} {} {}\n", verdict, number, example.name);
        }
        Ok(Doctests)
    }
}
