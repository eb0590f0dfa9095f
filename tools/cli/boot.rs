// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Whether the module is loaded at boot: by a file of ours that systemd-modules-load reads, or by
//! what others have written.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::files;
use crate::livepatch::NAME;
use crate::module_file;
use crate::report::{refuse, say, End};

const FILE: &str = "/etc/modules-load.d/mmu-notifier-rust.conf";
/// What systemd-modules-load reads: of files of one name, that in the first folder.
const FOLDERS: [&str; 4] = [
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
];
/// And what Debian has it read beside that, by a link in the first folder.
const LIST: &str = "/etc/modules";
const CMDLINE: &str = "/proc/cmdline";

/// What decides whether the module is loaded at boot.
struct Places {
    /// The places that name it.
    named: Vec<String>,
    /// Whether the kernel's command line forbids it.
    forbidden: bool,
}

impl Places {
    fn find() -> Self {
        let cmdline = fs::read_to_string(CMDLINE).unwrap_or_default();
        let mut named: Vec<String> = files()
            .filter(|path| fs::read_to_string(path).is_ok_and(|content| lists(&content)))
            .collect();
        if on_cmdline(&cmdline, &["modules_load", "modules-load"]) {
            named.push(CMDLINE.to_string());
        }
        Self {
            named,
            forbidden: on_cmdline(&cmdline, &["module_blacklist", "modprobe.blacklist"]),
        }
    }

    /// Those that are not ours to change.
    fn others(&self) -> Option<String> {
        let named = self.named.iter().map(String::as_str);
        let others: Vec<&str> = named.filter(|path| *path != FILE).collect();
        (!others.is_empty()).then(|| others.join(" "))
    }
}

/// The files that are read, in order.
fn files() -> impl Iterator<Item = String> {
    let mut seen = HashSet::new();
    FOLDERS
        .iter()
        .flat_map(|folder| {
            let names = files::names(folder).into_iter();
            names.map(move |name| (format!("{folder}/{name}"), name))
        })
        .filter(move |(_, name)| name.ends_with(".conf") && seen.insert(name.clone()))
        .map(|(path, _)| path)
        .filter(|path| !fs::canonicalize(path).is_ok_and(|real| real == Path::new(LIST)))
        .chain([LIST.to_string()])
}

/// Whether such a file names the module.
fn lists(content: &str) -> bool {
    content.lines().any(|line| is_ours(line.trim()))
}

/// Whether the command line gives one of the options, lists with commas, the module's name.
fn on_cmdline(cmdline: &str, options: &[&str]) -> bool {
    cmdline
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .any(|(option, names)| options.contains(&option) && names.split(',').any(is_ours))
}

/// modprobe takes either sign.
fn is_ours(name: &str) -> bool {
    name.replace('-', "_") == NAME
}

/// Whether the module is loaded at boot, as far as the files and the command line tell.
pub fn is_on() -> bool {
    let places = Places::find();
    !places.named.is_empty() && !places.forbidden
}

pub fn switch_on(dry_run: bool) -> End {
    let places = Places::find();
    if places.forbidden {
        return refuse(&format!(
            "{CMDLINE} forbids the module; nothing was changed. Take it out of module_blacklist= \
             or modprobe.blacklist= of the boot loader's entry first."
        ));
    }
    if let Some(place) = places.named.first() {
        say(&format!("{place} has the module loaded at boot already."));
        return End::Done;
    }
    if !module_file::is_installed_for_any() {
        return refuse(&format!(
            "{NAME}.ko is not installed for any kernel below /lib/modules, so nothing could be \
             loaded at boot; nothing was changed. Install it, and run depmod."
        ));
    }
    if dry_run {
        say(&format!("Would write {FILE}."));
        return End::Done;
    }
    match write() {
        Ok(()) => {
            say(&format!(
                "{FILE}: the module is loaded at boot from now on. What serves now has not changed."
            ));
            End::Done
        }
        Err(error) => refuse(&format!("{FILE}: {error}; nothing was changed")),
    }
}

pub fn switch_off(dry_run: bool) -> End {
    let others = Places::find().others();
    let still = |others: &str| {
        refuse(&format!(
            "the module is loaded at boot by what this command has not written: {others}. Take \
             {NAME} out of that."
        ))
    };
    if !Path::new(FILE).exists() {
        if let Some(others) = others {
            return still(&others);
        }
        say("The module is not loaded at boot.");
        return End::Done;
    }
    if dry_run {
        say(&format!("Would remove {FILE}."));
        return others.map_or(End::Done, |others| still(&others));
    }
    match fs::remove_file(FILE) {
        Ok(()) if others.is_some() => {
            say(&format!("{FILE} is gone."));
            still(&others.unwrap_or_default())
        }
        Ok(()) => {
            say(&format!(
                "{FILE} is gone: the module is not loaded at boot any more. What serves now has \
                 not changed."
            ));
            End::Done
        }
        Err(error) => refuse(&format!("{FILE}: {error}; nothing was changed")),
    }
}

fn write() -> io::Result<()> {
    // By another name at first, so that no half of it is ever read.
    let new = format!("{FILE}.new");
    fs::create_dir_all("/etc/modules-load.d")?;
    let content = format!("# Written by mmu-notifier enable --at-boot.\n{NAME}\n");
    let done = fs::write(&new, content).and_then(|()| fs::rename(&new, FILE));
    if done.is_err() {
        // Nothing of it shall be left; that the disk is full does not keep it from going.
        let _ = fs::remove_file(new);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::{lists, on_cmdline, Places, FILE};

    #[test]
    fn in_a_file() {
        assert!(lists("# loop\nfuse\n mmu-notifier-rust \n"));
        assert!(!lists("# mmu_notifier_rust\n"));
        assert!(!lists("mmu_notifier_rust_test\n"));
    }

    #[test]
    fn on_the_command_line() {
        let line = "root=/dev/vda module_blacklist=nouveau,mmu_notifier_rust quiet\n";
        assert!(on_cmdline(line, &["module_blacklist"]));
        assert!(!on_cmdline(line, &["modules_load"]));
        assert!(!on_cmdline("mmu_notifier_rust.mode=1", &["modules_load"]));
    }

    #[test]
    fn not_ours_to_change() {
        let named = |paths: &[&str]| Places {
            named: paths.iter().map(|path| path.to_string()).collect(),
            forbidden: false,
        };
        assert_eq!(None, named(&[FILE]).others());
        assert_eq!(
            Some("/etc/modules".to_string()),
            named(&[FILE, "/etc/modules"]).others()
        );
    }
}
