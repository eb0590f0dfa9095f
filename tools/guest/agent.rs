// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Init of the test guest: runs the host's commands and streams the kernel log to it.
//! In a guest with an init of its own it is a service.
//!
//! One thread waits for the host, for jobs and for the kernel log. The guest switches itself off
//! when the host closes the channel, so no guest outlives the program that started it.

mod frame;
mod job;
mod sys;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{symlink, OpenOptionsExt};
use std::thread;
use std::time::{Duration, Instant};

use frame::{report, request, Channel, Frame};
use job::Job;
use sys::PollFd;

const CHANNEL: &str = "/dev/vport0p1";
const O_NONBLOCK: i32 = 0x800;
const ENOENT: i32 = 2;
const ENXIO: i32 = 6;
/// For the driver of the channel to be there.
const PORT_LIMIT: Duration = Duration::from_secs(60);
/// Log records to forward before looking at the jobs again.
const LOG_BURST: usize = 64;
/// Log records to forward before a job's end is reported, should the kernel never fall silent.
const LOG_BACKLOG: usize = 1 << 16;

const MOUNTS: [(&str, &str, &str); 11] = [
    ("devtmpfs", "/dev", ""),
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devpts", "/dev/pts", "ptmxmode=0666"),
    ("tmpfs", "/dev/shm", ""),
    ("tmpfs", "/tmp", ""),
    ("tmpfs", "/run", ""),
    ("debugfs", "/sys/kernel/debug", ""),
    ("tracefs", "/sys/kernel/tracing", ""),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("hugetlbfs", "/dev/hugepages", ""),
];

fn prepare_file_systems() {
    for (kind, target, options) in MOUNTS {
        // A kernel of few parts has no tracing.
        if kind == "tracefs" && !kernel_knows(kind) {
            continue;
        }
        fs::create_dir_all(target).unwrap_or_else(|error| panic!("mkdir {target}: {error}"));
        sys::mount_kind(kind, target, options)
            .unwrap_or_else(|error| panic!("mount {kind} on {target}: {error}"));
    }
    for (target, link) in [
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
    ] {
        symlink(target, link).unwrap_or_else(|error| panic!("symlink {link}: {error}"));
    }
}

fn kernel_knows(kind: &str) -> bool {
    fs::read_to_string("/proc/filesystems")
        .unwrap_or_else(|error| panic!("/proc/filesystems: {error}"))
        .split_whitespace()
        .any(|word| word == kind)
}

/// Opens the port to the host.
///
/// The driver makes its node beside the start of the system, and a moment before it knows the port.
/// Nothing tells of the moment when it does.
fn open_port() -> io::Result<File> {
    let begin = Instant::now();
    loop {
        match OpenOptions::new().read(true).write(true).open(CHANNEL) {
            Err(error)
                if matches!(error.raw_os_error(), Some(ENOENT | ENXIO))
                    && begin.elapsed() < PORT_LIMIT =>
            {
                thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

struct Agent {
    channel: Channel,
    log: File,
    signals: File,
    jobs: Vec<Job>,
}

impl Agent {
    fn open() -> io::Result<Self> {
        Ok(Self {
            channel: Channel::new(open_port()?),
            log: OpenOptions::new()
                .read(true)
                .custom_flags(O_NONBLOCK)
                .open("/dev/kmsg")?,
            signals: sys::signals()?,
            jobs: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        self.channel.send(report::READY, 0, b"")?;
        loop {
            if self.wait()? && !self.channel.receive()? {
                return Ok(());
            }
            while let Some(frame) = self.channel.next_frame() {
                self.obey(frame)?;
            }
            let end = sys::asked_to_end(&self.signals);
            self.forward_log(LOG_BURST)?;
            self.forward_output()?;
            self.reap()?;
            if end {
                return Ok(());
            }
            self.jobs.retain(|job| !job.is_over());
        }
    }

    /// Waits for anything to do; returns whether the channel is readable.
    fn wait(&self) -> io::Result<bool> {
        let mut fds: Vec<PollFd> = [&self.log, &self.signals, self.channel.port()]
            .map(|file| PollFd {
                fd: file.as_raw_fd(),
                events: sys::POLLIN,
                revents: 0,
            })
            .into();
        for job in &self.jobs {
            if let Some(output) = &job.output {
                fds.push(PollFd {
                    fd: output.as_raw_fd(),
                    events: sys::POLLIN,
                    revents: 0,
                });
            }
            if let (Some(input), true) = (&job.input, job.has_pending_input()) {
                fds.push(PollFd {
                    fd: input.as_raw_fd(),
                    events: sys::POLLOUT,
                    revents: 0,
                });
            }
        }
        sys::wait_ready(&mut fds)?;
        Ok(fds[2].revents & (sys::POLLIN | sys::POLLHUP | sys::POLLERR) != 0)
    }

    fn obey(&mut self, frame: Frame) -> io::Result<()> {
        let job = self.jobs.iter_mut().find(|job| job.id == frame.job);
        match (frame.kind, frame.payload.as_slice(), job) {
            (request::START, [flags, command @ ..], _) => {
                match Job::start(frame.job, *flags, &String::from_utf8_lossy(command)) {
                    Ok(job) => self.jobs.push(job),
                    Err(error) => {
                        let why = error.to_string();
                        self.channel
                            .send(report::REFUSED, frame.job, why.as_bytes())?;
                    }
                }
            }
            (request::INPUT, bytes, Some(job)) => job.queue_input(bytes),
            // A job that ended meanwhile needs no signal and no size.
            (request::SIGNAL, [signal], Some(job)) => {
                let _ = sys::signal_group(job.pid, i32::from(*signal));
            }
            (request::WINDOW, [r0, r1, c0, c1], Some(job)) => {
                let rows = u16::from_le_bytes([*r0, *r1]);
                let _ = job.set_window(rows, u16::from_le_bytes([*c0, *c1]));
            }
            (request::SYSRQ, letters, _) => {
                for letter in letters {
                    fs::write("/proc/sysrq-trigger", [*letter])?;
                }
            }
            (request::POWER_OFF, ..) => {
                self.forward_log(LOG_BACKLOG)?;
                sys::power_off();
            }
            _ => {}
        }
        Ok(())
    }

    fn forward_log(&mut self, most: usize) -> io::Result<()> {
        let mut record = [0; 8192];
        for _ in 0..most {
            match self.log.read(&mut record) {
                Ok(count) => self.channel.send(report::LOG, 0, &record[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // EPIPE: records were overwritten; the host sees the gap in their numbers.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn forward_output(&mut self) -> io::Result<()> {
        for job in &mut self.jobs {
            job.write_input();
            if let Some(bytes) = job.read_output() {
                self.channel.send(report::OUTPUT, job.id, &bytes)?;
            }
        }
        Ok(())
    }

    /// Reaps ended processes, orphans included, and reports the jobs among them.
    fn reap(&mut self) -> io::Result<()> {
        while let Some(ended) = sys::reap() {
            let end = Instant::now();
            // What the kernel said because of a job precedes the report of its end.
            self.forward_log(LOG_BACKLOG)?;
            let Some(job) = self
                .jobs
                .iter_mut()
                .find(|job| job.pid == ended.pid && !job.ended)
            else {
                continue;
            };
            let nanoseconds = end.duration_since(job.started).as_nanos() as u64;
            // What the job itself printed precedes its end; a process that it left behind may
            // keep the pipe open for longer.
            while let Some(bytes) = job.read_output() {
                self.channel.send(report::OUTPUT, job.id, &bytes)?;
            }
            job.ended = true;
            let mut payload = ended.status.to_le_bytes().to_vec();
            payload.extend_from_slice(&nanoseconds.to_le_bytes());
            self.channel.send(report::ENDED, job.id, &payload)?;
        }
        Ok(())
    }
}

fn main() {
    if std::process::id() == 1 {
        prepare_file_systems();
    }
    let mut agent = Agent::open().unwrap_or_else(|error| panic!("open {CHANNEL}: {error}"));
    agent
        .run()
        .unwrap_or_else(|error| panic!("channel to the host: {error}"));
    sys::power_off();
}
