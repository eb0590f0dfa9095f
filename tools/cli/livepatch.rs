// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Who serves the notifiers, as livepatch and the module tell in sysfs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::functions;

pub const NAME: &str = "mmu_notifier_rust";
const PATCHES: &str = "/sys/kernel/livepatch";
const MODULE: &str = "/sys/module/mmu_notifier_rust";

/// Where a takeover stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// The kernel was built with the core in Rust; there is nothing to switch.
    BuiltIn,
    /// C serves, the module is not loaded.
    Absent,
    /// The module is being loaded or unloaded.
    Changing,
    /// C serves, the module is loaded and redirects nothing (any more).
    Idle,
    /// Tasks go over to Rust, or all have and registrations are waited for.
    ToRust,
    /// Tasks go back to C, or registrations are waited for before they do.
    ToC,
    /// Rust serves.
    Rust,
}

impl State {
    /// The core in charge, for programs.
    pub fn core(self) -> &'static str {
        match self {
            Self::BuiltIn | Self::Rust => "rust",
            Self::Absent | Self::Changing | Self::Idle => "c",
            Self::ToRust | Self::ToC => "both",
        }
    }

    /// A name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Absent => "absent",
            Self::Changing => "changing",
            Self::Idle => "idle",
            Self::ToRust => "to-rust",
            Self::ToC => "to-c",
            Self::Rust => "rust",
        }
    }

    /// A sentence's part for people.
    pub fn told(self) -> &'static str {
        match self {
            Self::BuiltIn => "Rust serves, built into this kernel",
            Self::Absent => "C serves; the module is not loaded",
            Self::Changing => "C serves; the module is being loaded or unloaded",
            Self::Idle => "C serves; the module is loaded and redirects nothing",
            Self::ToRust => "tasks go over to Rust one by one; both cores serve",
            Self::ToC => "tasks go back to C one by one; both cores serve",
            Self::Rust => "Rust serves",
        }
    }

    /// Whether the module redirects nothing, or is not there.
    pub fn is_out(self) -> bool {
        matches!(self, Self::Absent | Self::Changing | Self::Idle)
    }

    /// Whether Rust serves, or soon will.
    pub fn is_for_rust(self) -> bool {
        matches!(self, Self::BuiltIn | Self::ToRust | Self::Rust)
    }

    /// Whether tasks are being moved.
    pub fn in_transition(self) -> bool {
        matches!(self, Self::ToRust | Self::ToC)
    }
}

/// What the livepatch's files say, and more that tells where it stands.
#[derive(Clone, Copy)]
struct Patch {
    enabled: bool,
    transition: bool,
    /// Whether the module is in native mode.
    native: bool,
    /// Whether tasks, this one for example, have a side to be on.
    moving: bool,
}

/// `init` is the module's `initstate`, where a module is that was not built in.
fn interpret(there: bool, init: Option<&str>, patch: Option<Patch>) -> State {
    match (there, init, patch) {
        (_, _, Some(patch)) => match (patch.enabled, patch.transition) {
            (true, false) => State::Rust,
            // Disabling waits for registrations while the switch still is at 1. On the way in
            // native mode begins when no task has a side any more.
            (true, true) if patch.native && patch.moving => State::ToC,
            (true, true) => State::ToRust,
            // Enabling sets the one after the other.
            (false, true) if init == Some("coming") => State::Changing,
            (false, true) => State::ToC,
            // On its way out of sysfs.
            (false, false) => State::Changing,
        },
        (false, ..) => State::Absent,
        (true, None, None) => State::BuiltIn,
        (true, Some("live"), None) => State::Idle,
        (true, Some(_), None) => State::Changing,
    }
}

/// What is missing to tell who serves: without it, C would seem to.
pub fn blind() -> Option<&'static str> {
    let missing = |path: &str| !Path::new(path).exists();
    if missing("/sys/module") {
        Some("sysfs is not mounted: mount -t sysfs sysfs /sys")
    } else if missing("/proc/self") {
        Some("procfs is not mounted: mount -t proc proc /proc")
    } else {
        None
    }
}

/// Where the takeover stands now.
pub fn state() -> State {
    let directory = patch();
    let patch = files::flag(directory.join("enabled"))
        .zip(files::flag(directory.join("transition")))
        .map(|(enabled, transition)| Patch {
            enabled,
            transition,
            native: mode().as_deref() == Some("native"),
            moving: files::word("/proc/self/patch_state").is_some_and(|side| side != "-1"),
        });
    let there = Path::new(MODULE).exists();
    let init = files::word(format!("{MODULE}/initstate"));
    // A module that went meanwhile has no state any more; one that is built in has none ever.
    let there = there && (init.is_some() || Path::new(MODULE).exists());
    interpret(there, init.as_deref(), patch)
}

fn patch() -> PathBuf {
    Path::new(PATCHES).join(NAME)
}

/// Writes the livepatch's switch: `true` to go over to Rust, `false` to go back.
pub fn switch(on: bool) -> io::Result<()> {
    match fs::write(patch().join("enabled"), if on { "1" } else { "0" }) {
        // Somebody else was faster.
        Err(_) if target().unwrap_or(false) == on => Ok(()),
        done => done,
    }
}

/// What the tasks that have moved show in their `patch_state`.
pub fn target() -> Option<bool> {
    files::flag(patch().join("enabled"))
}

/// The module's mode: `native` or `compatible`.
pub fn mode() -> Option<String> {
    files::word(format!("{MODULE}/parameters/mode"))
}

/// How many callbacks the module has told of since it was loaded, as they were stuck.
pub fn stuck_callbacks() -> Option<u64> {
    files::word(format!("{MODULE}/parameters/stuck_callbacks"))?
        .parse()
        .ok()
}

/// Who holds the module beside livepatch, so that it cannot be unloaded.
pub fn held_by() -> Option<String> {
    let count = files::word(format!("{MODULE}/refcnt"))?.parse().ok()?;
    // Its own init holds it as well.
    if files::word(format!("{MODULE}/initstate"))? != "live" {
        return None;
    }
    let modules = files::names(format!("{MODULE}/holders"));
    holders(count, patch().exists(), &modules)
}

/// livepatch holds the module for as long as its directory is there.
fn holders(count: u32, livepatch: bool, modules: &[String]) -> Option<String> {
    let others = count.saturating_sub(livepatch.into());
    let told = if modules.is_empty() {
        "perf or bpftrace at its tracepoints, for example, or an open file of its in debugfs"
            .to_string()
    } else {
        format!("among them the modules {}", modules.join(" "))
    };
    let users = if others == 1 { "user" } else { "users" };
    (others > 0).then(|| format!("the module has {others} more {users}: {told}"))
}

/// Whether the kernel can be livepatched.
pub fn available() -> bool {
    Path::new(PATCHES).is_dir()
}

/// Other livepatches: those that have one of the core's functions, and those under way.
pub fn others() -> Vec<String> {
    let mut found = Vec::new();
    for name in files::names(PATCHES).iter().filter(|name| *name != NAME) {
        let directory = Path::new(PATCHES).join(name);
        let redirected = files::names(directory.join("vmlinux"));
        let ours = redirected
            .iter()
            .filter_map(|entry| entry.split_once(','))
            .find_map(|(function, _)| functions::of_symbol(function));
        if let Some(function) = ours {
            found.push(format!(
                "livepatch {name} redirects {function}: disable it first"
            ));
        } else if files::flag(directory.join("transition")) == Some(true) {
            found.push(format!(
                "livepatch {name} is in transition: try again when it is done"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{holders, interpret, Patch, State};

    fn patched(enabled: bool, transition: bool, native: bool, moving: bool) -> State {
        let patch = Patch {
            enabled,
            transition,
            native,
            moving,
        };
        interpret(true, Some("live"), Some(patch))
    }

    #[test]
    fn without_livepatch() {
        assert_eq!(State::Absent, interpret(false, None, None));
        assert_eq!(State::BuiltIn, interpret(true, None, None));
        assert_eq!(State::Idle, interpret(true, Some("live"), None));
        assert_eq!(State::Changing, interpret(true, Some("coming"), None));
    }

    #[test]
    fn on_the_way() {
        assert_eq!(State::ToRust, patched(true, true, false, true));
        assert_eq!(State::Rust, patched(true, false, true, false));
        assert_eq!(State::ToC, patched(false, true, false, true));
        assert_eq!(State::Changing, patched(false, false, false, false));
    }

    #[test]
    fn loading() {
        let patch = Patch {
            enabled: false,
            transition: true,
            native: false,
            moving: true,
        };
        let state = interpret(true, Some("coming"), Some(patch));
        assert_eq!(State::Changing, state);
    }

    #[test]
    fn waiting_for_registrations() {
        // Before the way back, before native mode, and just after it has begun.
        assert_eq!(State::ToC, patched(true, true, true, true));
        assert_eq!(State::ToRust, patched(true, true, false, false));
        assert_eq!(State::ToRust, patched(true, true, true, false));
    }

    #[test]
    fn held() {
        assert_eq!(None, holders(1, true, &[]));
        assert_eq!(None, holders(0, false, &[]));
        assert!(holders(2, true, &[]).is_some_and(|told| told.contains("1 more user: perf")));
        let told = holders(2, false, &["xpmem".to_string()]).unwrap();
        assert!(
            told.contains("2 more users") && told.contains("xpmem"),
            "{told}"
        );
    }
}
