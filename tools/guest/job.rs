// SPDX-License-Identifier: GPL-2.0 OR MIT

//! One shell command that the host has started.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::frame::request;
use crate::sys;

const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
    ("HOME", "/root"),
    ("TERM", "linux"),
    ("PS1", "guest:\\w# "),
];

/// A running command, its output and what is still to be written to it.
pub struct Job {
    pub id: u32,
    /// Leader of the job's process group.
    pub pid: i32,
    pub started: Instant,
    /// `None` once every process that held it has closed it.
    pub output: Option<File>,
    /// `None` once the host has closed it or the job reads no more.
    pub input: Option<File>,
    pending: VecDeque<u8>,
    input_ends: bool,
    on_terminal: bool,
    pub ended: bool,
}

impl Job {
    /// Starts `command` in a shell, in a session of its own.
    pub fn start(id: u32, flags: u8, command: &str) -> io::Result<Self> {
        let on_terminal = flags & request::ON_TERMINAL != 0;
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(command)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir("/");
        // SAFETY: `enter_session` only makes system calls, as a forked child may.
        unsafe { shell.pre_exec(move || sys::enter_session(on_terminal)) };

        let (output, input) = if on_terminal {
            let (master, slave) = sys::pseudo_terminal()?;
            let slave = OpenOptions::new()
                .read(true)
                .write(true)
                // It is to be the job's controlling terminal, not ours.
                .custom_flags(sys::O_NOCTTY)
                .open(slave)?;
            shell
                .stdin(slave.try_clone()?)
                .stdout(slave.try_clone()?)
                .stderr(slave);
            (master.try_clone()?, Some(master))
        } else {
            let (output, write_end) = sys::pipe()?;
            shell.stdout(write_end.try_clone()?).stderr(write_end);
            let input = if flags & request::WITH_INPUT != 0 {
                let (read_end, input) = sys::pipe()?;
                shell.stdin(Stdio::from(OwnedFd::from(read_end)));
                Some(File::from(input))
            } else {
                shell.stdin(Stdio::null());
                None
            };
            (output, input)
        };
        sys::set_nonblocking(output.as_raw_fd())?;
        if let Some(input) = &input {
            sys::set_nonblocking(input.as_raw_fd())?;
        }

        let started = Instant::now();
        let child = shell.spawn()?;
        Ok(Self {
            id,
            pid: child.id() as i32,
            started,
            output: Some(output),
            input,
            pending: VecDeque::new(),
            input_ends: false,
            on_terminal,
            ended: false,
        })
    }

    /// Queues bytes for standard input; none means the end of it.
    pub fn queue_input(&mut self, bytes: &[u8]) {
        self.pending.extend(bytes);
        self.input_ends |= bytes.is_empty();
        self.write_input();
    }

    /// Whether there are bytes that the job has not taken yet.
    pub fn has_pending_input(&self) -> bool {
        self.input.is_some() && !self.pending.is_empty()
    }

    /// Writes as much of the queued input as the job takes now.
    pub fn write_input(&mut self) {
        let Some(input) = &mut self.input else {
            self.pending.clear();
            return;
        };
        while !self.pending.is_empty() {
            match input.write(self.pending.as_slices().0) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The job has closed its end: nobody wants the rest.
                Err(_) => self.pending.clear(),
            }
        }
        if self.input_ends {
            self.input = None;
        }
    }

    /// Reads one piece of output; `None` when there is nothing to read now.
    pub fn read_output(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65536];
        match self.output.as_mut()?.read(&mut buffer) {
            Ok(count) if count > 0 => {
                buffer.truncate(count);
                Some(buffer)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // End of file; a terminal whose last user has gone gives EIO instead.
            _ => {
                self.output = None;
                None
            }
        }
    }

    /// Sets the size of the job's terminal, if it has one.
    pub fn set_window(&self, rows: u16, columns: u16) -> io::Result<()> {
        match (&self.output, self.on_terminal) {
            (Some(terminal), true) => sys::set_window(terminal.as_raw_fd(), rows, columns),
            _ => Ok(()),
        }
    }

    /// Whether nothing more can come from this job.
    pub fn is_over(&self) -> bool {
        self.ended && self.output.is_none()
    }
}
