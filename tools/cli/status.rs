// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `status`: what is, and what could be.

use std::fs;
use std::path::Path;

use crate::boot;
use crate::functions;
use crate::json::Json;
use crate::kernel::Kernel;
use crate::livepatch::{self, State};
use crate::look::Seen;
use crate::machines::{self, Owner};
use crate::module_file::ModuleFile;
use crate::report::{refuse, say, End};
use crate::tasks::{self, Task};

struct Status {
    state: State,
    mode: Option<String>,
    stuck_callbacks: Option<u64>,
    kernel: Kernel,
    module: Option<ModuleFile>,
    /// Why `enable` would refuse.
    refusals: Vec<String>,
    stragglers: Seen<Task>,
    /// Who is inside the core while no task is left to move.
    in_core: Seen<Task>,
    machines: Seen<Owner>,
    at_boot: bool,
    /// Others' tasks and open files are root's to see.
    sees_all: bool,
}

pub fn run(module: Option<&Path>, json: bool) -> End {
    let status = match Status::gather(module) {
        Ok(status) => status,
        Err(why) => return refuse(&why),
    };
    if json {
        say(&status.json().to_string());
    } else {
        status.lines().iter().for_each(|line| say(line));
    }
    End::Done
}

impl Status {
    fn gather(module: Option<&Path>) -> Result<Self, String> {
        let state = livepatch::state();
        let kernel = Kernel::running();
        let module = match module {
            Some(path) => Some(
                ModuleFile::read(path).map_err(|error| format!("{}: {error}", path.display()))?,
            ),
            None => ModuleFile::installed(&kernel.release),
        };
        let mut refusals = kernel.refusals(module.as_ref());
        refusals.extend(livepatch::others());
        let stragglers = if state.in_transition() {
            tasks::stragglers()
        } else {
            Seen::nothing()
        };
        let in_core = if state.in_transition() && stragglers.found.is_empty() {
            tasks::in_core()
        } else {
            Seen::nothing()
        };
        Ok(Self {
            state,
            mode: livepatch::mode(),
            stuck_callbacks: livepatch::stuck_callbacks(),
            refusals,
            stragglers,
            in_core,
            machines: machines::owners(),
            at_boot: boot::is_on(),
            sees_all: fs::read_dir("/proc/1/fd").is_ok(),
            kernel,
            module,
        })
    }

    /// Which processes could not be looked at, for people.
    fn passed_over(&self) -> Option<String> {
        self.machines
            .told()
            .or(self.stragglers.told())
            .or(self.in_core.told())
    }

    fn lines(&self) -> Vec<String> {
        let yes = |there| if there { "yes" } else { "no" };
        let mode = match &self.mode {
            Some(mode) => format!(", {mode} mode"),
            None => String::new(),
        };
        let mut lines = vec![
            format!("core        {}{mode}", self.state.told()),
            format!(
                "kernel      {}: livepatch {}, type information {}, functions {}",
                self.kernel.release,
                yes(self.kernel.livepatch),
                yes(self.kernel.btf),
                if self.kernel.missing.is_empty() {
                    format!("all {}", functions::CORE.len())
                } else {
                    format!("missing {}", self.kernel.missing.join(" "))
                }
            ),
            format!(
                "module      {}",
                self.module.as_ref().map_or(
                    "none installed for this kernel".to_string(),
                    ModuleFile::told
                )
            ),
            format!(
                "signatures  {}; lockdown {}",
                match self.kernel.signatures_enforced {
                    Some(true) => "enforced",
                    Some(false) => "not enforced",
                    None => "unknown",
                },
                self.kernel.lockdown.as_deref().unwrap_or("unknown")
            ),
            format!(
                "boot        the module is {}loaded at boot",
                if self.at_boot { "" } else { "not " }
            ),
            format!("machines    {}", machines::told(&self.machines.found)),
        ];
        if let Some(count) = self.stuck_callbacks {
            lines.push(format!(
                "stuck       {count} callbacks told of in the kernel log"
            ));
        }
        if self.state.in_transition() {
            lines.push(format!(
                "transition  tasks not moved yet: {}",
                self.stragglers.found.len()
            ));
            for task in self.stragglers.found.iter().chain(&self.in_core.found) {
                lines.push(format!("            {}", task.told()));
            }
        }
        if matches!(self.state, State::Absent | State::Idle) {
            if self.refusals.is_empty() {
                lines.push("enable      nothing known against it".to_string());
            }
            for why in &self.refusals {
                lines.push(format!("enable      refused: {why}"));
            }
        }
        if let Some(told) = self.passed_over() {
            lines.push(format!("            ({told})"));
        }
        if !self.sees_all {
            lines.push(
                "            (not root: others' machines and tasks are not seen)".to_string(),
            );
        }
        lines
    }

    fn json(&self) -> Json {
        let module = self.module.as_ref().map(|module| {
            Json::object([
                ("path", module.path.to_string_lossy().into_owned().into()),
                ("built_for", module.built_for.clone().into()),
                ("signed", module.signed.into()),
            ])
        });
        let transition = self.state.in_transition().then(|| {
            Json::object([
                (
                    "to",
                    Json::from(if self.state == State::ToC {
                        "c"
                    } else {
                        "rust"
                    }),
                ),
                ("not_moved", list(&self.stragglers.found, Task::json)),
                ("in_core", list(&self.in_core.found, Task::json)),
            ])
        });
        Json::object([
            ("core", self.state.core().into()),
            ("state", self.state.name().into()),
            ("mode", self.mode.clone().into()),
            ("stuck_callbacks", self.stuck_callbacks.into()),
            (
                "kernel",
                Json::object([
                    ("release", self.kernel.release.as_str().into()),
                    ("livepatch", self.kernel.livepatch.into()),
                    ("btf", self.kernel.btf.into()),
                    ("missing_functions", self.kernel.missing.clone().into()),
                    (
                        "signatures_enforced",
                        self.kernel.signatures_enforced.into(),
                    ),
                    ("lockdown", self.kernel.lockdown.clone().into()),
                ]),
            ),
            ("module", module.into()),
            ("refusals", self.refusals.clone().into()),
            ("transition", transition.into()),
            ("machines", list(&self.machines.found, Owner::json)),
            ("at_boot", self.at_boot.into()),
            (
                "complete",
                (self.sees_all && self.passed_over().is_none()).into(),
            ),
        ])
    }
}

fn list<T>(items: &[T], json: impl Fn(&T) -> Json) -> Json {
    Json::List(items.iter().map(json).collect())
}
