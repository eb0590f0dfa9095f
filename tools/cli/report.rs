// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Talking to who called us, and the exit statuses.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How a command ends; the numbers are in the manual page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// As asked for.
    Done = 0,
    /// Refused or failed; who serves has not changed.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Interrupted or out of time; a transition is under way.
    UnderWay = 3,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        // What was asked for includes the answer.
        let end = match end {
            End::Done if UNSAID.load(Relaxed) => End::Refused,
            end => end,
        };
        Self::from(end as u8)
    }
}

/// Whether a line could not be written, to a full disk for example.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// Prints a line. Nobody may be listening any more, and then there is nobody to tell.
pub fn say(line: &str) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            if !UNSAID.swap(true, Relaxed) {
                complain(&format!("cannot write: {error}"));
            }
        }
        _ => {}
    }
}

/// Tells what is wrong.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "mmu-notifier: {line}");
}

/// Tells what is wrong, and more about it.
pub fn refuse(line: &str) -> End {
    complain(line);
    End::Refused
}
