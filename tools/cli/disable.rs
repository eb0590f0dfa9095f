// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `disable`: from Rust back to C, and the module out of the kernel.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::livepatch::{self, State, NAME};
use crate::progress::{follow, Begun, Failure, Outcome};
use crate::report::{refuse, say, End};
use crate::switch::{
    begin, begin_switch, leave_under_way, root_only, tell_machines, told, Options,
};
use crate::sys;

/// Others may hold the module for a moment: `top` does, at each look.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(100);
/// For how long livepatch may keep its own reference before it is worth a word.
const DOUBT: Duration = Duration::from_secs(2);

pub fn run(options: &Options) -> End {
    match disable(options) {
        Ok(()) => End::Done,
        Err(end) => end,
    }
}

fn disable(options: &Options) -> Result<(), End> {
    let deadline = options.deadline();
    let mut state = livepatch::state();
    if state == State::Changing {
        root_only("disable")?;
        sys::note_signals();
        say("The module is being loaded or unloaded just now; waiting for that.");
        let settled = |state| state != State::Changing;
        conclude(follow(Begun::Nothing, deadline, settled, |_| true))?;
        state = livepatch::state();
    }
    match state {
        State::BuiltIn => {
            return Err(refuse(
                "the core in Rust is built into this kernel: boot one with the core in C",
            ))
        }
        State::Absent => {
            say("C serves, and the module is not loaded: there is nothing to disable.");
            return Ok(());
        }
        _ => root_only("disable")?,
    }
    // From the first word on, an end is one that says where it stands.
    sys::note_signals();
    // C would serve, and the module stay: without its livepatch, so without a way back.
    if matches!(state, State::ToRust | State::Rust) {
        if let Some(why) = held_for_long() {
            return Err(refuse(&format!(
                "{why}; it could not be unloaded, so nothing was changed. End that, and try again: \
                 mmu-notifier disable"
            )));
        }
    }
    say(match state {
        State::ToRust => "Rust is taking over; turning that back, then unloading the module.",
        State::ToC => "C is taking over again already; waiting for it, then unloading the module.",
        State::Rust => {
            "livepatch moves the tasks back to C one by one; then the module is unloaded."
        }
        _ => "C serves; unloading the module.",
    });
    tell_machines();
    if options.dry_run {
        say("Nothing was changed (--dry-run).");
        return Ok(());
    }
    let begin = Instant::now();
    let begun = match state {
        State::ToRust | State::Rust => begin_switch(false)?,
        _ => Begun::Nothing,
    };
    conclude(follow(begun, deadline, State::is_out, |state| {
        state == State::ToC
    }))?;
    unload(deadline)?;
    say(&format!(
        "C serves, and the module is unloaded, after {:.1} s.",
        begin.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Who else holds the module, if it is so at every look.
fn held_for_long() -> Option<String> {
    let mut why = livepatch::held_by();
    for _ in 1..LOOKS {
        why.as_ref()?;
        thread::sleep(LOOK);
        why = livepatch::held_by();
    }
    why
}

/// Unloads the module, which redirects nothing any more.
pub fn unload(deadline: Instant) -> Result<(), End> {
    let since = Instant::now();
    let mut told = false;
    loop {
        let begun = begin(|| match sys::unload_module(NAME) {
            // Somebody else was faster.
            Err(error) if error.raw_os_error() == Some(sys::ENOENT) => Ok(()),
            done => done,
        })?;
        let gone = |state| state == State::Absent;
        match follow(begun, deadline, gone, |state| !state.is_for_rust()) {
            // Somebody has it take over again.
            Outcome::Failed(_) if livepatch::state().is_for_rust() => {
                return conclude(Outcome::Elsewhere(livepatch::state()))
            }
            // livepatch drops its reference to the module just after its directory.
            Outcome::Failed(Failure::Errno(error)) if is_in_use(&error) => {
                let why = livepatch::held_by();
                if Instant::now() >= deadline {
                    let why = why.unwrap_or("the module is still in use".to_string());
                    return Err(leave_under_way(&format!("out of time: {why}")));
                }
                if sys::asked_to_end() {
                    return Err(leave_under_way("interrupted"));
                }
                if let Some(why) = why.filter(|_| !told && since.elapsed() > DOUBT) {
                    say(&format!("Not unloaded yet: {why}."));
                    told = true;
                }
                thread::sleep(LOOK);
            }
            outcome => return conclude(outcome),
        }
    }
}

fn is_in_use(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(sys::EAGAIN | sys::EBUSY))
}

fn conclude(outcome: Outcome) -> Result<(), End> {
    match outcome {
        Outcome::Reached => Ok(()),
        Outcome::Failed(failure) => Err(refuse(&format!(
            "not disabled: {}; now {}",
            told(&failure),
            livepatch::state().told()
        ))),
        Outcome::Elsewhere(state) => Err(refuse(&format!(
            "somebody else has turned it back; now {}",
            state.told()
        ))),
        Outcome::OutOfTime => Err(leave_under_way("out of time")),
        Outcome::Interrupted => Err(leave_under_way("interrupted")),
    }
}
