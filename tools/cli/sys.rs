// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The system calls that Rust's standard library does not offer.
//!
//! The standard library links the C library anyway; declaring the handful of functions here keeps
//! the program free of external crates, so that a bare `rustc` builds it.

use std::ffi::{c_int, c_long, c_uint, CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
pub const ENOEXEC: i32 = 8;
pub const EAGAIN: i32 = 11;
pub const EBUSY: i32 = 16;
pub const EEXIST: i32 = 17;
pub const EINVAL: i32 = 22;
pub const ENOKEY: i32 = 126;
pub const EKEYREJECTED: i32 = 129;
pub const O_NONBLOCK: i32 = 0x800;

const SYS_DELETE_MODULE: c_long = 176;
const SYS_FINIT_MODULE: c_long = 313;
const MODULE_INIT_COMPRESSED_FILE: c_int = 4;
const SIG_IGN: usize = 1;
const WNOHANG: c_int = 1;
const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGQUIT: c_int = 3;
const SIGKILL: c_int = 9;
const SIGTERM: c_int = 15;

extern "C" {
    fn geteuid() -> c_uint;
    fn fork() -> c_int;
    fn setsid() -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(pid: c_int, number: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn signal(number: c_int, handler: usize) -> usize;
    fn syscall(number: c_long, ...) -> c_long;
}

/// The signal that asked this program to end, or 0.
static ASKED: AtomicI32 = AtomicI32::new(0);

extern "C" fn note_signal(number: c_int) {
    ASKED.store(number, Relaxed);
}

/// From now on a signal that asks to end is noted, for [`asked_to_end`], and ends nothing.
///
/// One that who started us has had ignored, as `nohup` does, still is.
pub fn note_signals() {
    for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        // SAFETY: The handler does nothing but an atomic store.
        unsafe { handle(number, note_signal) };
    }
}

/// Has a signal handled, unless it is ignored.
///
/// # Safety
///
/// The handler does what a handler may: an atomic store, for example.
pub unsafe fn handle(number: c_int, handler: extern "C" fn(c_int)) {
    // SAFETY: By the caller; and `SIG_IGN` is what there was before.
    unsafe {
        if signal(number, handler as usize) == SIG_IGN {
            signal(number, SIG_IGN);
        }
    }
}

/// Whether such a signal has come.
pub fn asked_to_end() -> bool {
    ASKED.load(Relaxed) != 0
}

pub fn is_root() -> bool {
    // SAFETY: No preconditions.
    unsafe { geteuid() == 0 }
}

/// Loads a module from its file, compressed or not.
pub fn load_module(file: &File, compressed: bool) -> io::Result<()> {
    let flags = if compressed {
        MODULE_INIT_COMPRESSED_FILE
    } else {
        0
    };
    // SAFETY: The arguments are a NUL-terminated string and numbers.
    check(unsafe { syscall(SYS_FINIT_MODULE, file.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Unloads a module that nobody uses.
pub fn unload_module(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    let name: &CStr = &name;
    // SAFETY: As above; the string outlives the call.
    check(unsafe { syscall(SYS_DELETE_MODULE, name.as_ptr(), O_NONBLOCK) })
}

fn check(result: c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A process of its own that does one thing.
pub struct Helper(c_int);

impl Helper {
    /// Has `work` done in a process of its own, which outlives this one if need be.
    ///
    /// The program has one thread, so all of it is there after a fork.
    pub fn start(work: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        // SAFETY: There is one thread, which holds no lock here.
        match unsafe { fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // SAFETY: No pointers. Who reads our output shall not wait for this process, and
                // Ctrl-C is not for it.
                unsafe {
                    setsid();
                    for standard in 0..3 {
                        dup2(null.as_raw_fd(), standard);
                    }
                }
                let status = match work() {
                    Ok(()) => 0,
                    Err(error) => error.raw_os_error().unwrap_or(EINVAL),
                };
                // SAFETY: No preconditions. What the parent would clean up is the parent's.
                unsafe { _exit(status) }
            }
            pid => Ok(Self(pid)),
        }
    }

    /// Ends it, and does not wait for long until it has.
    pub fn kill(mut self) {
        // SAFETY: No pointers, and nobody else has waited for it, so it still has its number.
        unsafe { kill(self.0, SIGKILL) };
        for _ in 0..100 {
            if self.poll().is_some() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// How it ended, if it has.
    pub fn poll(&mut self) -> Option<io::Result<()>> {
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        if unsafe { waitpid(self.0, &mut status, WNOHANG) } != self.0 {
            return None;
        }
        Some(match (status & 0x7f, status >> 8 & 0xff) {
            (0, 0) => Ok(()),
            (0, errno) => Err(io::Error::from_raw_os_error(errno)),
            (signal, _) => Err(io::Error::other(format!("killed by signal {signal}"))),
        })
    }
}
