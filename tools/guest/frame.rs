// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames on the channel to the host.
//!
//! A frame is one byte of kind, the job number (u32), the length of the payload (u32), both little
//! endian, and the payload. `tools/lib/channel.py` is the other end.

use std::fs::File;
use std::io::{self, Read, Write};

const HEADER: usize = 9;

/// Kinds of frames that the host sends.
pub mod request {
    /// Start a job. Payload: flags, then the shell command.
    pub const START: u8 = 1;
    /// Bytes for the job's standard input; an empty payload closes it.
    pub const INPUT: u8 = 2;
    /// Signal the job's process group. Payload: the signal number (u8).
    pub const SIGNAL: u8 = 3;
    /// The size of the job's terminal. Payload: rows and columns (u16 each).
    pub const WINDOW: u8 = 4;
    /// Magic system requests. Payload: one letter for each.
    pub const SYSRQ: u8 = 5;
    /// Switch the machine off.
    pub const POWER_OFF: u8 = 6;

    /// Flag of `START`: the host will send standard input.
    pub const WITH_INPUT: u8 = 1;
    /// Flag of `START`: run the job on a terminal of its own.
    pub const ON_TERMINAL: u8 = 2;
}

/// Kinds of frames that the agent sends.
pub mod report {
    /// The guest is up and takes requests.
    pub const READY: u8 = 65;
    /// Bytes that the job printed.
    pub const OUTPUT: u8 = 66;
    /// The job has ended. Payload: wait status (i32), nanoseconds since its start (u64).
    pub const ENDED: u8 = 67;
    /// The job could not be started. Payload: why.
    pub const REFUSED: u8 = 68;
    /// One record of the kernel log as `/dev/kmsg` gives it.
    pub const LOG: u8 = 69;
}

/// One frame.
pub struct Frame {
    pub kind: u8,
    pub job: u32,
    pub payload: Vec<u8>,
}

/// The channel to the host.
pub struct Channel {
    port: File,
    received: Vec<u8>,
}

impl Channel {
    /// Frames will be read from and written to `port`.
    pub fn new(port: File) -> Self {
        Self {
            port,
            received: Vec::new(),
        }
    }

    /// The device below, to wait on.
    pub fn port(&self) -> &File {
        &self.port
    }

    /// Sends one frame, waiting for the host to take it.
    pub fn send(&mut self, kind: u8, job: u32, payload: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.push(kind);
        bytes.extend_from_slice(&job.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
        self.port.write_all(&bytes)
    }

    /// Reads what has arrived. Returns `false` when the host has closed the channel.
    pub fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 65536];
        let count = self.port.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count != 0)
    }

    /// Takes the next frame that has arrived whole.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let header = self.received.get(..HEADER)?;
        let job = u32::from_le_bytes(header[1..5].try_into().ok()?);
        let length = u32::from_le_bytes(header[5..9].try_into().ok()?) as usize;
        let payload = self.received.get(HEADER..HEADER + length)?.to_vec();
        let kind = header[0];
        self.received.drain(..HEADER + length);
        Some(Frame { kind, job, payload })
    }
}
