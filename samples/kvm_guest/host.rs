// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the vCPU's thread and the working threads share: the memory, the
//! guest's doorbell, the end, and the window in which writes must fault.

use crate::check::Wrong;
use crate::sys::Memory;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};

/// Why a working thread ends.
pub enum End {
    /// The program is told to end.
    Told,
    /// Wrong bytes.
    Wrong(Wrong),
    /// This machine cannot do the operation.
    Unable(String),
    /// A system call failed that must not fail.
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Wrong> for End {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// The latest window: guest addresses that are read-only while it is open.
#[derive(Default)]
pub struct Window {
    addresses: Range<usize>,
    open: bool,
    /// A vCPU's write was refused while it was open.
    pub faulted: bool,
}

pub struct Host {
    pub memory: Memory,
    /// Walks of the guest over all regions.
    pub loops: AtomicU64,
    /// Times the guest was refused a write and came again.
    pub faults: AtomicU64,
    /// Words found wrong, by anybody.
    pub wrong: AtomicU64,
    /// Something else that must not happen did happen.
    pub failed: AtomicBool,
    ended: AtomicBool,
    whole_process: Mutex<()>,
    window: Mutex<Window>,
    bell: Condvar,
}

impl Host {
    pub fn new(memory: Memory) -> Self {
        Self {
            memory,
            loops: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            whole_process: Mutex::default(),
            window: Mutex::default(),
            bell: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window
            .lock()
            .expect("a thread died while it held the window's lock")
    }

    /// Ends all threads, each at its next wait.
    pub fn end(&self) {
        let _window = self.lock();
        self.ended.store(true, Relaxed);
        self.bell.notify_all();
    }

    pub fn ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Counts and prints wrong bytes and ends everything.
    pub fn report_wrong(&self, wrong: &Wrong) {
        self.wrong.fetch_add(wrong.words, Relaxed);
        println!("{wrong}");
        self.end();
    }

    /// Prints a failure that is not about bytes and ends everything.
    pub fn report_failure(&self, what: &str) {
        self.failed.store(true, Relaxed);
        println!("failed {what}");
        self.end();
    }

    /// Tells all waiting threads that the guest has moved on.
    pub fn ring(&self) {
        self.loops.fetch_add(1, Relaxed);
        let _window = self.lock();
        self.bell.notify_all();
    }

    /// Waits until `done` holds; it is looked at whenever the guest moves on.
    pub fn wait(&self, done: impl Fn(&Window) -> bool) -> Result<(), End> {
        let mut window = self.lock();
        while !done(&window) {
            if self.ended() {
                return Err(End::Told);
            }
            window = self.bell.wait(window).expect("a waiting thread died");
        }
        Ok(())
    }

    /// Held by what disturbs every region's translations at once, and by what
    /// must not be disturbed so.
    pub fn lock_whole_process(&self) -> MutexGuard<'_, ()> {
        self.whole_process
            .lock()
            .expect("a thread died while it held the process's lock")
    }

    /// From here on a refused write to `addresses` is expected.
    pub fn open_window(&self, addresses: Range<usize>) {
        *self.lock() = Window {
            addresses,
            open: true,
            faulted: false,
        };
    }

    /// Writes are allowed again; a refused vCPU goes on.
    pub fn close_window(&self) {
        self.lock().open = false;
        self.bell.notify_all();
    }

    /// Writes to memory that a window may forbid to write to: waits for its end,
    /// and keeps the next one from opening. Does nothing once the run has ended.
    pub fn outside_window(&self, write: impl FnOnce()) {
        let mut window = self.lock();
        while window.open && !self.ended() {
            window = self.bell.wait(window).expect("a waiting thread died");
        }
        if !window.open {
            write();
        }
    }

    /// Called by a vCPU whose write to `address` was refused: waits for the
    /// window's end. Returns false when no window explains the refusal.
    pub fn wait_out_window(&self, address: usize) -> bool {
        let mut window = self.lock();
        // A window that closed between the refusal and now explains it too.
        if !window.addresses.contains(&address) {
            return false;
        }
        window.faulted |= window.open;
        self.faults.fetch_add(1, Relaxed);
        self.bell.notify_all();
        while window.open && !self.ended() {
            window = self.bell.wait(window).expect("a waiting thread died");
        }
        true
    }
}
