// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `enable`: from C to Rust.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::kernel::Kernel;
use crate::kernel_log::KernelLog;
use crate::livepatch::{self, State, NAME};
use crate::module_file::{self, ModuleFile};
use crate::progress::{follow, Begun, Failure, Outcome};
use crate::report::{complain, refuse, say, End};
use crate::switch::{
    begin, begin_switch, leave_under_way, root_only, tell_machines, told, Options,
};
use crate::{disable, sys};

pub fn run(options: &Options) -> End {
    match enable(options) {
        Ok(()) => End::Done,
        Err(end) => end,
    }
}

fn enable(options: &Options) -> Result<(), End> {
    let state = livepatch::state();
    match state {
        State::BuiltIn => {
            say("Rust serves, built into this kernel: there is nothing to enable.");
            return Ok(());
        }
        State::Rust => {
            say("Rust serves already.");
            return Ok(());
        }
        _ => root_only("enable")?,
    }
    // From the first word on, an end is one that says where it stands.
    sys::note_signals();
    let deadline = options.deadline();
    let mut log = KernelLog::from_now();
    let begun = match state {
        State::ToRust => {
            say("Rust is taking over already; waiting for it.");
            dry(options)?;
            Begun::Nothing
        }
        State::ToC => {
            say("C is taking over again; turning that back.");
            dry(options)?;
            begin_switch(true)?
        }
        State::Changing => {
            return Err(refuse(
                "the module is being loaded or unloaded just now; nothing was changed. Try again \
                 when that is over: mmu-notifier status",
            ))
        }
        _ => {
            let module = loadable(options)?;
            say(&format!("Loading {}.", module.told()));
            say("livepatch then moves the tasks over one by one, which may take some ten seconds.");
            tell_machines();
            dry(options)?;
            if state == State::Idle {
                disable::unload(deadline)?;
            }
            load(options, &module)?
        }
    };
    wait(begun, deadline, &mut log)
}

/// Ends what shall only be told.
fn dry(options: &Options) -> Result<(), End> {
    if options.dry_run {
        say("Nothing was changed (--dry-run).");
        return Err(End::Done);
    }
    Ok(())
}

fn loadable(options: &Options) -> Result<ModuleFile, End> {
    let kernel = Kernel::running();
    let module = match &options.module {
        Some(path) => Some(ModuleFile::read(path).map_err(|error| {
            refuse(&format!("{}: {error}; nothing was changed", path.display()))
        })?),
        None => ModuleFile::installed(&kernel.release),
    };
    let mut why = kernel.refusals(module.as_ref());
    why.extend(livepatch::others());
    match module {
        Some(module) if why.is_empty() => Ok(module),
        _ => {
            why.iter().for_each(|line| complain(line));
            Err(refuse("refused; nothing was changed"))
        }
    }
}

fn load(options: &Options, module: &ModuleFile) -> Result<Begun, End> {
    if sys::asked_to_end() {
        return Err(refuse("interrupted; nothing was loaded"));
    }
    if options.module.is_some() {
        return load_file(&module.path);
    }
    // By modprobe, for the sake of what the administrator has set in /etc/modprobe.d.
    Command::new("modprobe")
        .arg(NAME)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map(Begun::Program)
        .map_err(|error| refuse(&format!("modprobe: {error}; nothing was changed")))
}

fn load_file(path: &Path) -> Result<Begun, End> {
    let file = File::open(path).map_err(|error| refuse(&format!("{}: {error}", path.display())))?;
    let packed = module_file::is_packed(path);
    begin(move || sys::load_module(&file, packed))
}

fn wait(begun: Begun, deadline: Instant, log: &mut KernelLog) -> Result<(), End> {
    let begin = Instant::now();
    let outcome = follow(
        begun,
        deadline,
        |state| state == State::Rust,
        |state| state == State::ToRust,
    );
    match outcome {
        Outcome::Reached => {
            let mode = livepatch::mode().unwrap_or_default();
            say(&format!(
                "Rust serves since {:.1} s after the start, in {mode} mode.",
                begin.elapsed().as_secs_f64()
            ));
            if mode != "native" {
                complain(
                    "it stays in compatible mode, as if the transition had been forced: \
                     mmu-notifier disable, and look at the kernel log",
                );
            }
            Ok(())
        }
        Outcome::Failed(failure) => {
            for line in log.said() {
                say(&format!("  the kernel: {line}"));
            }
            complain(&format!("not enabled: {}", told(&failure)));
            if let Failure::Errno(error) = &failure {
                complain(meaning(error.raw_os_error().unwrap_or(0)));
            }
            Err(refuse(&format!("now {}", livepatch::state().told())))
        }
        Outcome::Elsewhere(state) => Err(refuse(&format!(
            "somebody else has turned it back; now {}",
            state.told()
        ))),
        Outcome::OutOfTime => Err(leave_under_way("out of time")),
        Outcome::Interrupted => Err(leave_under_way("interrupted")),
    }
}

/// What an error of loading means, and what to do.
fn meaning(errno: i32) -> &'static str {
    match errno {
        sys::ENOEXEC => "the module was built for another kernel: build it for the running one",
        sys::EINVAL => "the kernel lacks something that the module needs, or a parameter is wrong",
        sys::EBUSY => "another livepatch is in the way: disable it, or wait for its transition",
        sys::EEXIST => "the module is loaded already",
        sys::EPERM => "the kernel is locked down, or loading of modules is off",
        sys::ENOKEY | sys::EKEYREJECTED => "sign the module with a key that the kernel trusts",
        _ => "the kernel log may tell more: dmesg",
    }
}
