// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::debugfs;
use crate::order::Order;
use crate::switch::Options;
use crate::top;

pub const USAGE: &str = "\
usage: mmu-notifier status [--json] [--module FILE]
       mmu-notifier enable [--module FILE] [--timeout SECONDS] [--dry-run]
       mmu-notifier disable [--timeout SECONDS] [--dry-run]
       mmu-notifier enable|disable --at-boot [--dry-run]
       mmu-notifier top [--sort time|calls|worst|age] [--once] [--json] [--debugfs DIR]
The manual page mmu-notifier(8) tells more.";

/// Livepatch signals who has not moved only after 15 s, and a callback may sleep for longer.
const TIMEOUT: Duration = Duration::from_secs(120);

pub enum Command {
    Status { module: Option<PathBuf>, json: bool },
    Enable(Options),
    Disable(Options),
    BootOn { dry_run: bool },
    BootOff { dry_run: bool },
    Top(top::Options),
    Help,
}

impl Command {
    /// Whether it is about what serves now.
    pub fn looks_at_the_kernel(&self) -> bool {
        matches!(
            self,
            Self::Status { .. } | Self::Enable(_) | Self::Disable(_)
        )
    }
}

/// Reads the words after the program's name.
pub fn parse(words: &[String]) -> Result<Command, String> {
    let (command, rest) = words.split_first().ok_or("a command is missing")?;
    let help = |word: &String| matches!(word.as_str(), "--help" | "-h");
    if command == "help" || words.iter().any(help) {
        return Ok(Command::Help);
    }
    let allowed: &[&str] = match command.as_str() {
        "status" => &["--json", "--module"],
        "enable" => &["--module", "--timeout", "--dry-run", "--at-boot"],
        "disable" => &["--timeout", "--dry-run", "--at-boot"],
        "top" => &["--sort", "--once", "--json", "--debugfs"],
        _ => return Err(format!("unknown command `{command}`")),
    };
    let given = Given::read(rest, allowed)?;
    if given.at_boot && (given.module.is_some() || given.timeout.is_some()) {
        return Err("--at-boot goes with --dry-run only".to_string());
    }
    let dry_run = given.dry_run;
    Ok(match (command.as_str(), given.at_boot) {
        ("status", _) => Command::Status {
            module: given.module,
            json: given.json,
        },
        ("top", _) => Command::Top(top::Options {
            directory: given.directory.unwrap_or(debugfs::DIRECTORY.into()),
            order: given.order.unwrap_or(Order::Time),
            once: given.once,
            json: given.json,
        }),
        ("enable", true) => Command::BootOn { dry_run },
        ("disable", true) => Command::BootOff { dry_run },
        ("enable", false) => Command::Enable(given.options()),
        _ => Command::Disable(given.options()),
    })
}

#[derive(Default)]
struct Given {
    module: Option<PathBuf>,
    timeout: Option<Duration>,
    directory: Option<PathBuf>,
    order: Option<Order>,
    once: bool,
    json: bool,
    dry_run: bool,
    at_boot: bool,
}

impl Given {
    fn read(words: &[String], allowed: &[&str]) -> Result<Self, String> {
        let mut given = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (word.as_str(), None),
            };
            if !allowed.contains(&name) {
                return Err(format!("unknown argument `{word}`"));
            }
            let has_value = matches!(name, "--module" | "--timeout" | "--sort" | "--debugfs");
            if !has_value && attached.is_some() {
                return Err(format!("{name} takes no value"));
            }
            let mut value = || {
                let value = attached.clone().or_else(|| words.next().cloned());
                value.ok_or(format!("{name} lacks its value"))
            };
            match name {
                "--module" => given.module = Some(PathBuf::from(value()?)),
                "--timeout" => given.timeout = Some(seconds(&value()?)?),
                "--sort" => given.order = Some(order(&value()?)?),
                "--debugfs" => given.directory = Some(PathBuf::from(value()?)),
                "--once" => given.once = true,
                "--json" => given.json = true,
                "--dry-run" => given.dry_run = true,
                _ => given.at_boot = true,
            }
        }
        Ok(given)
    }

    fn options(self) -> Options {
        Options {
            module: self.module,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            dry_run: self.dry_run,
        }
    }
}

/// A whole number of seconds, up to a day.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(number @ 1..=86400) => Ok(Duration::from_secs(number)),
        _ => Err(format!(
            "`{text}` is not a number of seconds from 1 to 86400"
        )),
    }
}

fn order(text: &str) -> Result<Order, String> {
    Order::named(text).ok_or(format!("`{text}` is not one of time, calls, worst, age"))
}

#[cfg(test)]
mod tests {
    use super::{parse, Command};
    use crate::order::Order;
    use std::time::Duration;

    fn parsed(line: &str) -> Result<Command, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        parse(&words)
    }

    #[test]
    fn commands() {
        assert!(matches!(
            parsed("status --json"),
            Ok(Command::Status { json: true, .. })
        ));
        let Ok(Command::Enable(options)) = parsed("enable --module /m.ko --timeout=7 --dry-run")
        else {
            panic!("not parsed");
        };
        assert_eq!(Duration::from_secs(7), options.timeout);
        assert!(options.dry_run && options.module.is_some());
        assert!(matches!(
            parsed("disable --at-boot"),
            Ok(Command::BootOff { dry_run: false })
        ));
    }

    #[test]
    fn help() {
        for line in ["help", "-h", "status --help", "top --once -h"] {
            assert!(matches!(parsed(line), Ok(Command::Help)), "{line}");
        }
    }

    #[test]
    fn top() {
        let Ok(Command::Top(options)) = parsed("top --json --sort worst") else {
            panic!("not parsed");
        };
        assert_eq!(Order::Worst, options.order);
        assert!(options.json && !options.once);
    }

    #[test]
    fn refused() {
        for line in [
            "",
            "start",
            "status --timeout 3",
            "disable --module /m.ko",
            "enable --timeout",
            "enable --timeout 0",
            "enable --timeout x",
            "enable --dry-run=1",
            "enable --at-boot --timeout 3",
            "top --sort pid",
            "top --dry-run",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
