// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `mmu-notifier`: who serves the MMU notifiers, and the switch from C to Rust and back.

mod arguments;
mod boot;
mod debugfs;
mod disable;
mod enable;
mod files;
mod functions;
mod json;
mod kernel;
mod kernel_log;
mod livepatch;
mod look;
mod machines;
mod module_file;
mod order;
mod progress;
mod report;
mod status;
mod switch;
mod sys;
mod tasks;
mod terminal;
mod top;
mod view;

use std::process::ExitCode;

use arguments::{Command, USAGE};
use report::{complain, refuse, say, End};

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words.first().is_some_and(|name| name.ends_with("-top")) {
        words.insert(1, "top".to_string());
    }
    match arguments::parse(words.get(1..).unwrap_or_default()) {
        Ok(command) => run(command),
        Err(why) => {
            complain(&format!("{why}\n{USAGE}"));
            End::Usage
        }
    }
    .into()
}

fn run(command: Command) -> End {
    if let Some(why) = livepatch::blind().filter(|_| command.looks_at_the_kernel()) {
        return refuse(&format!(
            "{why}. Nothing can be told about the running kernel, and nothing was changed"
        ));
    }
    match command {
        Command::Status { module, json } => status::run(module.as_deref(), json),
        Command::Enable(options) => enable::run(&options),
        Command::Disable(options) => disable::run(&options),
        Command::BootOn { dry_run } => switch::root_only("enable --at-boot")
            .map_or_else(|end| end, |()| boot::switch_on(dry_run)),
        Command::BootOff { dry_run } => switch::root_only("disable --at-boot")
            .map_or_else(|end| end, |()| boot::switch_off(dry_run)),
        Command::Top(options) => top::run(options),
        Command::Help => {
            say(USAGE);
            End::Done
        }
    }
}
