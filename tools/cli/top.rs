// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `top`: who has subscribed, what it costs, and what is stuck.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::debugfs::Files;
use crate::order::Order;
use crate::report::{refuse, say, End};
use crate::sys;
use crate::terminal::Terminal;
use crate::view::{Lines, Snapshot};

/// Who is in the same callback at two looks is told of: within a second.
const REFRESH: Duration = Duration::from_millis(300);
const KEYS: &str = "t time  c calls  w worst  a age  q quit";
const ALARM: &str = "\x1b[1;31m";
const REVERSE: &str = "\x1b[7m";

/// What the command line asks for.
pub struct Options {
    pub directory: PathBuf,
    pub order: Order,
    pub once: bool,
    pub json: bool,
}

pub fn run(options: Options) -> End {
    let files = Files(options.directory);
    let live = !options.once && !options.json && io::stdin().is_terminal();
    let done = if live && io::stdout().is_terminal() {
        watch(&files, options.order)
    } else {
        once(&files, options.order, options.json)
    };
    match done {
        Ok(()) => End::Done,
        Err(error) => refuse(&files.trouble(&error)),
    }
}

fn once(files: &Files, order: Order, json: bool) -> io::Result<()> {
    let snapshot = Snapshot::read(files, order)?;
    if json {
        say(&snapshot.json().to_string());
        return Ok(());
    }
    let lines = snapshot.lines(None);
    for line in lines.head.iter().chain([&lines.titles]).chain(&lines.rows) {
        say(line);
    }
    Ok(())
}

/// Calls are counted for as long as somebody watches, if they were not counted before.
struct Counting<'a> {
    files: &'a Files,
    ours: bool,
}

impl<'a> Counting<'a> {
    fn new(files: &'a Files) -> Self {
        Self { files, ours: false }
    }

    /// Begins, or goes on when another who watched has ended it; says why that cannot be.
    fn go_on(&mut self) -> Option<String> {
        let done = match self.files.accounting() {
            Ok(false) => self.files.account(true).map(|()| self.ours = true),
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        let error = done.err()?;
        let why = match error.raw_os_error() {
            Some(sys::EPERM) => " (the kernel is locked down, perhaps)",
            _ => "",
        };
        Some(format!("not counted: {error}{why}"))
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        if self.ours {
            // Gone with the module, perhaps.
            let _ = self.files.account(false);
        }
    }
}

fn watch(files: &Files, mut order: Order) -> io::Result<()> {
    let mut now = Snapshot::read(files, order)?;
    sys::note_signals();
    let mut counting = Counting::new(files);
    let terminal = Terminal::take()?;
    let mut before: Option<Snapshot> = None;
    while !sys::asked_to_end() {
        let due = Instant::now() + REFRESH;
        let not_counted = counting.go_on();
        loop {
            let (rows, columns) = terminal.size();
            let mut lines = now.lines(before.as_ref());
            lines.head.extend(not_counted.clone());
            terminal.show(&screen(lines, order, rows, columns));
            match terminal.key(due.saturating_duration_since(Instant::now())) {
                Some(b'q') => return Ok(()),
                Some(key) => order = Order::of_key(key).unwrap_or(order),
                None => {}
            }
            now.sort(order);
            if sys::asked_to_end() || Instant::now() >= due {
                break;
            }
        }
        before = Some(std::mem::replace(&mut now, Snapshot::read(files, order)?));
    }
    Ok(())
}

/// As much as there is room for, and the keys in the last row.
fn screen(lines: Lines, order: Order, rows: usize, columns: usize) -> Vec<String> {
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    let mut screen: Vec<String> = lines
        .head
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let colour = if lines.alarms.contains(&index) {
                ALARM
            } else {
                ""
            };
            format!("{colour}{}", cut(line))
        })
        .collect();
    screen.push(format!("{REVERSE}{}", cut(&lines.titles)));
    screen.extend(lines.rows.iter().map(|row| cut(row)));
    let room = rows.saturating_sub(1);
    screen.resize(room, String::new());
    screen.push(cut(&format!("sorted by {}   {KEYS}", order.name())));
    screen
}

#[cfg(test)]
mod tests {
    use super::{screen, Lines, Order, ALARM, REVERSE};

    fn lines() -> Lines {
        Lines {
            head: vec!["summary".to_string(), "stuck".to_string()],
            alarms: 1..2,
            titles: "titles".to_string(),
            rows: vec!["first".to_string(), "second".to_string()],
        }
    }

    #[test]
    fn fills_the_window() {
        let shown = screen(lines(), Order::Time, 8, 4);
        assert_eq!(8, shown.len());
        assert_eq!("summ", shown[0]);
        assert_eq!(format!("{ALARM}stuc"), shown[1]);
        assert_eq!(format!("{REVERSE}titl"), shown[2]);
        assert_eq!(["firs", "seco", "", ""], shown[3..7]);
        assert_eq!("sort", shown[7]);
    }

    #[test]
    fn alarms_stay_in_a_small_one() {
        let shown = screen(lines(), Order::Time, 3, 80);
        assert_eq!(3, shown.len());
        assert_eq!(format!("{ALARM}stuck"), shown[1]);
    }
}
