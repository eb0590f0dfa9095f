// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waiting until a transition is where it shall be, and telling how far it is.

use std::io::{IsTerminal, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::livepatch::{self, State};
use crate::report::say;
use crate::sys::{self, Helper};
use crate::tasks::{self, Task};

/// livepatch has no way to be waited for.
const LOOK: Duration = Duration::from_millis(100);
const COUNT: Duration = Duration::from_secs(1);
/// How often to tell where nobody sees a line change.
const TELL: Duration = Duration::from_secs(10);
/// For how long it must seem to go the other way: several files tell, not all at one moment.
const DOUBT: Duration = Duration::from_secs(2);
const SHOWN: usize = 8;

/// What has been begun, in a process of its own, as the kernel may let it wait for long.
pub enum Begun {
    Nothing,
    Helper(Helper),
    Program(std::process::Child),
}

/// Why something that was begun failed.
pub enum Failure {
    Errno(io::Error),
    Program(ExitStatus, String),
}

impl Begun {
    fn poll(&mut self) -> Option<Result<(), Failure>> {
        match self {
            Self::Nothing => Some(Ok(())),
            Self::Helper(helper) => Some(helper.poll()?.map_err(Failure::Errno)),
            Self::Program(child) => {
                let status = match child.try_wait() {
                    Ok(status) => status?,
                    Err(error) => return Some(Err(Failure::Errno(error))),
                };
                if status.success() {
                    return Some(Ok(()));
                }
                let said = child.stderr.take().map(io::read_to_string);
                let said = said.and_then(Result::ok).unwrap_or_default();
                Some(Err(Failure::Program(status, said)))
            }
        }
    }
}

/// How waiting ended.
pub enum Outcome {
    Reached,
    Failed(Failure),
    /// Somebody else has it go the other way.
    Elsewhere(State),
    OutOfTime,
    Interrupted,
}

/// Waits until `reached`, while `possible`, which counts only once what was begun has ended.
pub fn follow(
    mut begun: Begun,
    deadline: Instant,
    reached: impl Fn(State) -> bool,
    possible: impl Fn(State) -> bool,
) -> Outcome {
    let mut line = Line::new();
    let mut over = false;
    let mut elsewhere: Option<Instant> = None;
    loop {
        if !over {
            match begun.poll() {
                Some(Err(failure)) => return Outcome::Failed(failure),
                Some(Ok(())) => over = true,
                None => {}
            }
        }
        let state = livepatch::state();
        if over && reached(state) {
            return Outcome::Reached;
        }
        if !over || possible(state) {
            elsewhere = None;
        } else if elsewhere.get_or_insert_with(Instant::now).elapsed() > DOUBT {
            return Outcome::Elsewhere(state);
        }
        if sys::asked_to_end() {
            return Outcome::Interrupted;
        }
        if Instant::now() >= deadline {
            return Outcome::OutOfTime;
        }
        line.update(state);
        thread::sleep(LOOK);
    }
}

/// The line that tells how far it is.
struct Line {
    begin: Instant,
    counted: Option<Instant>,
    told: Option<Instant>,
    live: bool,
    shown: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            begin: Instant::now(),
            counted: None,
            told: None,
            live: io::stdout().is_terminal(),
            shown: false,
        }
    }

    fn update(&mut self, state: State) {
        let now = Instant::now();
        let due = |last: Option<Instant>, every| last.is_none_or(|last| now >= last + every);
        if !due(self.counted, COUNT) {
            return;
        }
        self.counted = Some(now);
        // What is over within a second is not worth a line.
        if !self.live && !due(self.told.or(Some(self.begin)), TELL) {
            return;
        }
        self.told = Some(now);
        let seconds = self.begin.elapsed().as_secs();
        let text = format!(
            "{seconds:5} s: {}",
            stage(state, &tasks::stragglers().found)
        );
        if self.live {
            let _ = write!(io::stdout(), "\r{text}\x1b[K");
            let _ = io::stdout().flush();
            self.shown = true;
        } else {
            say(&text);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown {
            say("");
        }
    }
}

fn stage(state: State, stragglers: &[Task]) -> String {
    match (state.in_transition(), stragglers) {
        (false, _) => state.told().to_string(),
        (true, []) => "registrations that are under way are waited for".to_string(),
        (true, [one]) => format!("1 task to move: {}", one.told()),
        (true, many) => format!("{} tasks to move, {} among them", many.len(), many[0].name),
    }
}

/// Tells which tasks a transition waits for.
pub fn tell_who_holds_up() {
    let stragglers = tasks::stragglers();
    let (what, seen) = if stragglers.found.is_empty() {
        (
            "no task is left to move; inside the core are",
            tasks::in_core(),
        )
    } else {
        ("not moved yet", stragglers)
    };
    let tasks = &seen.found;
    say(&format!("{what}:"));
    for task in tasks.iter().take(SHOWN) {
        say(&format!("  {}", task.told()));
    }
    if tasks.len() > SHOWN {
        say(&format!("  and {} more", tasks.len() - SHOWN));
    }
    if tasks.is_empty() {
        say("  (none)");
    }
    if let Some(told) = seen.told() {
        say(&told);
    }
}
