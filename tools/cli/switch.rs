// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What `enable` and `disable` have in common.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::livepatch::{self, State};
use crate::machines;
use crate::progress::{tell_who_holds_up, Begun, Failure};
use crate::report::{complain, refuse, say, End};
use crate::sys::{self, Helper};

/// What the command line asks for.
pub struct Options {
    pub module: Option<PathBuf>,
    pub timeout: Duration,
    pub dry_run: bool,
}

impl Options {
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// Refuses whoever is not root.
pub fn root_only(command: &str) -> Result<(), End> {
    if sys::is_root() {
        Ok(())
    } else {
        Err(refuse(&format!(
            "`{command}` needs root; nothing was changed"
        )))
    }
}

/// Begins to write the livepatch's switch.
pub fn begin_switch(on: bool) -> Result<Begun, End> {
    begin(move || livepatch::switch(on))
}

/// Begins something that the kernel may let wait.
pub fn begin(work: impl FnOnce() -> std::io::Result<()>) -> Result<Begun, End> {
    Helper::start(work)
        .map(Begun::Helper)
        .map_err(|error| refuse(&format!("cannot start a process: {error}")))
}

/// Tells whom it concerns, before anything is done.
pub fn tell_machines() {
    let owners = machines::owners();
    if !owners.found.is_empty() {
        say(&format!(
            "Virtual machines run on meanwhile: {}.",
            machines::told(&owners.found)
        ));
    }
    if let Some(told) = owners.told() {
        say(&told);
    }
}

/// Tells that a transition goes on without us, who holds it up and what can be done.
pub fn leave_under_way(why: &str) -> End {
    complain(&format!("{why}; now {}", livepatch::state().told()));
    match livepatch::state() {
        State::ToRust => {
            tell_who_holds_up();
            say(
                "The transition goes on by itself and ends when these tasks leave the functions \
                 that they are in.\n\
                 To wait again: mmu-notifier enable. To go back to C: mmu-notifier disable.",
            );
        }
        State::ToC => {
            tell_who_holds_up();
            say(
                "The transition goes on by itself and ends when these tasks leave the functions \
                 that they are in; the module stays loaded until then.\n\
                 To wait again, and unload: mmu-notifier disable. To stay with Rust: mmu-notifier \
                 enable.",
            );
        }
        State::Idle => say("To unload the module: mmu-notifier disable."),
        _ => say("To see where it stands: mmu-notifier status."),
    }
    End::UnderWay
}

/// The words of a failure.
pub fn told(failure: &Failure) -> String {
    match failure {
        Failure::Errno(error) => error.to_string(),
        Failure::Program(status, said) if said.trim().is_empty() => status.to_string(),
        Failure::Program(_, said) => said.trim().to_string(),
    }
}
