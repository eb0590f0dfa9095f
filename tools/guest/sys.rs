// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The system calls that the agent needs and Rust's standard library does not offer.
//!
//! The standard library links the C library anyway; declaring the handful of functions here keeps
//! the agent free of external crates, so that a bare `rustc` builds it.

use std::ffi::{c_char, c_int, c_long, c_short, c_ulong, c_void, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub const POLLIN: c_short = 0x1;
pub const POLLOUT: c_short = 0x4;
pub const POLLERR: c_short = 0x8;
pub const POLLHUP: c_short = 0x10;

const EINTR: i32 = 4;
const WNOHANG: c_int = 1;
const SIG_BLOCK: c_int = 0;
const SIG_SETMASK: c_int = 2;
const SIGUSR1: c_int = 10;
const SIGUSR2: c_int = 12;
const SIGTERM: c_int = 15;
const SIGCHLD: c_int = 17;
const O_RDWR: c_int = 0x2;
pub const O_NOCTTY: c_int = 0x100;
const O_NONBLOCK: c_int = 0x800;
const O_CLOEXEC: c_int = 0x80000;
const F_GETFL: c_int = 3;
const F_SETFL: c_int = 4;
const RB_POWER_OFF: c_int = 0x4321fedc;
const TIOCSCTTY: c_ulong = 0x540e;
const TIOCSWINSZ: c_ulong = 0x5414;

/// The layout of the kernel's `struct pollfd`.
#[repr(C)]
pub struct PollFd {
    pub fd: RawFd,
    pub events: c_short,
    pub revents: c_short,
}

/// The layout of glibc's `sigset_t`: 1024 bits.
#[repr(C)]
struct SigSet([u64; 16]);

/// The signals that init must know of.
const INIT_SET: SigSet = {
    let mut bits = [0; 16];
    let signals = [SIGUSR1, SIGUSR2, SIGTERM, SIGCHLD];
    let mut index = 0;
    while index < signals.len() {
        bits[0] |= 1 << (signals[index] - 1);
        index += 1;
    }
    SigSet(bits)
};

/// Size of `struct signalfd_siginfo`, whose first field is the signal's number.
const SIGNAL_INFO: usize = 128;

#[repr(C)]
struct WinSize {
    rows: u16,
    columns: u16,
    x_pixels: u16,
    y_pixels: u16,
}

extern "C" {
    fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        fstype: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn setsid() -> c_int;
    fn reboot(command: c_int) -> c_int;
    fn sync();
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn signalfd(fd: c_int, mask: *const SigSet, flags: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn posix_openpt(flags: c_int) -> c_int;
    fn grantpt(fd: c_int) -> c_int;
    fn unlockpt(fd: c_int) -> c_int;
    fn ptsname_r(fd: c_int, buffer: *mut c_char, length: c_long) -> c_int;
}

fn check(value: c_int) -> io::Result<c_int> {
    if value < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value)
    }
}

/// Waits until one of `fds` is ready.
pub fn wait_ready(fds: &mut [PollFd]) -> io::Result<()> {
    // SAFETY: `PollFd` has the layout of `struct pollfd` and the slice bounds the call.
    match check(unsafe { poll(fds.as_mut_ptr(), fds.len() as c_ulong, -1) }) {
        Err(error) if error.raw_os_error() != Some(EINTR) => Err(error),
        _ => Ok(()),
    }
}

/// Mounts the file system type `kind` on `target`.
pub fn mount_kind(kind: &str, target: &str, options: &str) -> io::Result<()> {
    let kind = CString::new(kind)?;
    let target = CString::new(target)?;
    let options = CString::new(options)?;
    // SAFETY: All pointers are to NUL-terminated strings that outlive the call.
    check(unsafe {
        mount(
            kind.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            options.as_ptr().cast(),
        )
    })?;
    Ok(())
}

/// A process that has ended, and its wait status.
pub struct Ended {
    pub pid: i32,
    pub status: i32,
}

/// Reaps one ended child, if there is any.
pub fn reap() -> Option<Ended> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    let pid = unsafe { waitpid(-1, &mut status, WNOHANG) };
    (pid > 0).then_some(Ended { pid, status })
}

/// Sends `signal` to the process group led by `leader`.
pub fn signal_group(leader: i32, signal: i32) -> io::Result<()> {
    // SAFETY: `kill` takes no pointers.
    check(unsafe { kill(-leader, signal) })?;
    Ok(())
}

/// Blocks the signals that init must know of and returns a descriptor that reports them.
pub fn signals() -> io::Result<File> {
    // SAFETY: The signal set is a valid constant of `sigset_t`'s size; the old mask is not wanted.
    check(unsafe { sigprocmask(SIG_BLOCK, &INIT_SET, std::ptr::null_mut()) })?;
    // SAFETY: As above; -1 asks for a new descriptor, which is ours alone.
    unsafe {
        let fd = check(signalfd(-1, &INIT_SET, O_NONBLOCK | O_CLOEXEC))?;
        Ok(File::from_raw_fd(fd))
    }
}

/// Takes the signals that have come; returns whether one asked init to end the system, as the
/// commands `halt`, `poweroff` and `reboot` do.
pub fn asked_to_end(mut signals: &File) -> bool {
    let mut info = [0; SIGNAL_INFO];
    let mut end = false;
    while signals.read_exact(&mut info).is_ok() {
        end |= c_int::from(info[0]) != SIGCHLD;
    }
    end
}

/// Makes the calling (forked) child a leader of its own session with no signal blocked.
///
/// With `terminal`, its standard input becomes the session's controlling terminal.
pub fn enter_session(terminal: bool) -> io::Result<()> {
    let none = SigSet([0; 16]);
    // SAFETY: `none` is a valid signal set; the other calls take no pointers.
    unsafe {
        check(sigprocmask(SIG_SETMASK, &none, std::ptr::null_mut()))?;
        check(setsid())?;
        if terminal {
            check(ioctl(0, TIOCSCTTY, 0))?;
        }
    }
    Ok(())
}

/// Makes a pipe; returns the reading and the writing end.
pub fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors, which are ours alone afterwards.
    unsafe {
        check(pipe2(fds.as_mut_ptr(), O_CLOEXEC))?;
        Ok((File::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// Makes a pseudo terminal; returns its master side and the path of its slave.
pub fn pseudo_terminal() -> io::Result<(File, String)> {
    let mut name = [0u8; 64];
    // SAFETY: The new descriptor is ours alone; the length bounds what is written to `name`.
    let master = unsafe {
        let master = File::from_raw_fd(check(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC))?);
        check(grantpt(master.as_raw_fd()))?;
        check(unlockpt(master.as_raw_fd()))?;
        check(-ptsname_r(
            master.as_raw_fd(),
            name.as_mut_ptr().cast(),
            name.len() as c_long,
        ))?;
        master
    };
    let end = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    Ok((master, String::from_utf8_lossy(&name[..end]).into_owned()))
}

/// Sets the size of a terminal.
pub fn set_window(terminal: RawFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = WinSize {
        rows,
        columns,
        x_pixels: 0,
        y_pixels: 0,
    };
    // SAFETY: `size` has the layout of `struct winsize` and outlives the call.
    check(unsafe { ioctl(terminal, TIOCSWINSZ, &size) })?;
    Ok(())
}

/// Makes reads and writes on `fd` return instead of waiting.
pub fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: These commands take no pointers.
    unsafe {
        let flags = check(fcntl(fd, F_GETFL))?;
        check(fcntl(fd, F_SETFL, flags | O_NONBLOCK))?;
    }
    Ok(())
}

/// Writes out what is cached and switches the machine off.
pub fn power_off() -> ! {
    // SAFETY: Neither call takes pointers.
    unsafe {
        sync();
        reboot(RB_POWER_OFF);
    }
    panic!("the machine did not switch off");
}
