// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A terminal that shows one screen after the other, and gives single keys.

use std::ffi::{c_int, c_short, c_ulong};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::sys;

const STDIN: c_int = 0;
const STDOUT: c_int = 1;
const TCSANOW: c_int = 0;
const TIOCGWINSZ: c_ulong = 0x5413;
const ICANON: u32 = 0o2;
const ECHO: u32 = 0o10;
const POLLIN: c_short = 1;
const SIGSTOP: c_int = 19;
const SIGTSTP: c_int = 20;
const SIGWINCH: c_int = 28;

/// The layout of glibc's `struct termios`.
#[repr(C)]
#[derive(Clone)]
struct Termios {
    flags: [u32; 3],
    local: u32,
    line: u8,
    characters: [u8; 32],
    speeds: [u32; 2],
}

/// The layout of the kernel's `struct winsize`.
#[repr(C)]
struct WinSize {
    rows: u16,
    columns: u16,
    pixels: [u16; 2],
}

/// The layout of the kernel's `struct pollfd`.
#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

extern "C" {
    fn tcgetattr(fd: c_int, settings: *mut Termios) -> c_int;
    fn tcsetattr(fd: c_int, when: c_int, settings: *const Termios) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    fn raise(number: c_int) -> c_int;
}

/// Whether Ctrl-Z was pressed.
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn note_stop(_: c_int) {
    STOP.store(true, Relaxed);
}

/// Another size is seen when the next screen is drawn; the signal only ends the wait for a key.
extern "C" fn note_size(_: c_int) {}

/// The terminal, ours until drop.
pub struct Terminal {
    before: Termios,
    /// Without the standard library's buffer: what that holds, nobody would wait for.
    input: File,
}

/// The key of who is not there any more.
const GONE: u8 = b'q';

impl Terminal {
    /// Takes the terminal that is standard input and output.
    pub fn take() -> io::Result<Self> {
        let mut before = Termios {
            flags: [0; 3],
            local: 0,
            line: 0,
            characters: [0; 32],
            speeds: [0; 2],
        };
        // SAFETY: `before` has the layout of `struct termios`.
        if unsafe { tcgetattr(STDIN, &mut before) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        // SAFETY: The handlers do at most an atomic store.
        unsafe {
            sys::handle(SIGTSTP, note_stop);
            sys::handle(SIGWINCH, note_size);
        }
        let terminal = Self { before, input };
        terminal.enter();
        Ok(terminal)
    }

    fn enter(&self) {
        let mut settings = self.before.clone();
        settings.local &= !(ICANON | ECHO);
        // SAFETY: `settings` has the layout of `struct termios`.
        unsafe { tcsetattr(STDIN, TCSANOW, &settings) };
        // The other screen, without a cursor and without wrapping.
        print("\x1b[?1049h\x1b[?25l\x1b[?7l");
    }

    fn leave(&self) {
        print("\x1b[?7h\x1b[?25h\x1b[?1049l");
        // SAFETY: As above.
        unsafe { tcsetattr(STDIN, TCSANOW, &self.before) };
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        let mut size = WinSize {
            rows: 0,
            columns: 0,
            pixels: [0; 2],
        };
        // SAFETY: `size` has the layout of `struct winsize`.
        let known = unsafe { ioctl(STDOUT, TIOCGWINSZ, &mut size) } == 0 && size.rows > 0;
        if known {
            (size.rows.into(), size.columns.into())
        } else {
            (24, 80)
        }
    }

    /// Waits for a key, at most for so long, or until a signal comes.
    pub fn key(&self, patience: Duration) -> Option<u8> {
        let mut input = PollFd {
            fd: STDIN,
            events: POLLIN,
            revents: 0,
        };
        // SAFETY: `input` has the layout of `struct pollfd`, and is one.
        let ready = unsafe { poll(&mut input, 1, patience.as_millis() as c_int) } == 1;
        if STOP.swap(false, Relaxed) {
            self.leave();
            // SAFETY: No preconditions. It returns when the shell has us go on.
            unsafe { raise(SIGSTOP) };
            self.enter();
        }
        if !ready {
            return None;
        }
        let mut key = [0];
        match (&self.input).read(&mut key) {
            Ok(1) => Some(key[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            _ => Some(GONE),
        }
    }

    /// Shows a screen: all of it at once, so that nothing flickers.
    pub fn show(&self, lines: &[String]) {
        let mut screen = String::from("\x1b[H");
        for (index, line) in lines.iter().enumerate() {
            screen.push_str(if index > 0 { "\r\n" } else { "" });
            screen.push_str(line);
            screen.push_str("\x1b[0m\x1b[K");
        }
        screen.push_str("\x1b[J");
        print(&screen);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn print(text: &str) {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}
