// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Looking at processes one by one, and past those that nobody can look at now.
//!
//! For another's stack and open files the kernel takes a lock that a process holds while it
//! executes a new program. If that is stuck so is whoever looks, deaf to all signals but SIGKILL:
//! so a helper looks, and is killed.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::files;
use crate::sys::Helper;

/// For how long one process may keep the helper.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many may, before the others are left alone too.
const STUCK: usize = 3;

/// What was found, and which processes could not be looked at.
pub struct Seen<T> {
    pub found: Vec<T>,
    pub passed_over: Vec<u32>,
}

impl<T> Seen<T> {
    pub fn nothing() -> Self {
        Self {
            found: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// For people, if there is something to tell.
    pub fn told(&self) -> Option<String> {
        let each: Vec<String> = self.passed_over.iter().map(u32::to_string).collect();
        (!each.is_empty()).then(|| {
            format!(
                "processes that could not be looked at, as one is stuck: {}",
                each.join(" ")
            )
        })
    }
}

/// Looks at all processes: `look` makes lines, and `read` makes something of a line.
pub fn at_all<T>(look: impl Fn(u32) -> Vec<String>, read: impl Fn(&str) -> Option<T>) -> Seen<T> {
    at_each(&files::numbers("/proc"), look, read)
}

fn at_each<T>(
    processes: &[u32],
    look: impl Fn(u32) -> Vec<String>,
    read: impl Fn(&str) -> Option<T>,
) -> Seen<T> {
    let mut seen = Seen::nothing();
    let mut rest = processes;
    for _ in 0..STUCK {
        let mut done = 0;
        let _ = by_helper(rest, &look, |line| match line {
            Some(line) => seen.found.extend(read(line)),
            None => done += 1,
        });
        rest = &rest[done..];
        let Some((stuck, others)) = rest.split_first() else {
            return seen;
        };
        seen.passed_over.push(*stuck);
        rest = others;
    }
    seen.passed_over.extend(rest);
    seen
}

/// Has a helper look; `tell` gets each line, and nothing when a process is done.
fn by_helper(
    processes: &[u32],
    look: impl Fn(u32) -> Vec<String>,
    mut tell: impl FnMut(Option<&str>),
) -> io::Result<()> {
    let (ours, mut theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    // It shall not wait for one who is gone.
    theirs.set_write_timeout(Some(PATIENCE))?;
    let helper = Helper::start(move || {
        processes.iter().try_for_each(|process| {
            let lines = look(*process);
            let text: String = lines.iter().map(|line| format!("={line}\n")).collect();
            theirs.write_all(format!("{text}.\n").as_bytes())
        })
    })?;
    let told = BufReader::new(ours).lines().try_for_each(|line| {
        tell(line?.strip_prefix('='));
        Ok(())
    });
    helper.kill();
    told
}

#[cfg(test)]
mod tests {
    use super::at_each;

    fn number(line: &str) -> Option<u32> {
        line.parse().ok()
    }

    fn twice(process: u32) -> Vec<String> {
        vec![process.to_string(), (process * 10).to_string()]
    }

    #[test]
    fn all() {
        let seen = at_each(&[1, 2, 3], twice, number);
        assert_eq!([1, 10, 2, 20, 3, 30], seen.found[..]);
        assert_eq!(None, seen.told());
    }

    #[test]
    fn past_who_is_stuck() {
        let look = |process| {
            while process == 2 {
                std::thread::park();
            }
            twice(process)
        };
        let seen = at_each(&[1, 2, 3], look, number);
        assert_eq!([1, 10, 3, 30], seen.found[..]);
        assert_eq!([2], seen.passed_over[..]);
        assert!(seen.told().is_some_and(|told| told.ends_with(": 2")));
    }

    #[test]
    fn gives_up() {
        // A helper that ends is as one that is stuck.
        let look = |_| -> Vec<String> { std::process::abort() };
        let seen = at_each(&[1, 2, 3, 4, 5], look, number);
        assert!(seen.found.is_empty());
        assert_eq!([1, 2, 3, 4, 5], seen.passed_over[..]);
    }
}
