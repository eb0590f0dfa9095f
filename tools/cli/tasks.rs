// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which tasks hold up a transition, and where they are.

use std::fs;

use crate::files;
use crate::functions;
use crate::json::Json;
use crate::livepatch;
use crate::look::{self, Seen};

/// A task that has not moved, or that is inside the core.
pub struct Task {
    pub process: u32,
    pub thread: u32,
    pub name: String,
    pub place: Place,
}

/// Where a task is, as its stack tells.
#[derive(Debug, Default, PartialEq)]
pub struct Place {
    /// The function of the core that it has called.
    pub core: Option<&'static str>,
    /// The driver's function that the core has called, with the driver's module.
    pub callback: Option<String>,
    /// The innermost function.
    pub innermost: Option<String>,
}

impl Place {
    /// Reads `/proc/PID/task/TID/stack`: the innermost function first.
    fn read(stack: &str) -> Self {
        let frames: Vec<(&str, Option<&str>)> = stack.lines().filter_map(frame).collect();
        let entered = frames
            .iter()
            .position(|(symbol, _)| functions::of_symbol(symbol).is_some());
        let inner = &frames[..entered.unwrap_or(0)];
        Self {
            core: entered.and_then(|index| functions::of_symbol(frames[index].0)),
            callback: inner.iter().rev().find_map(|(symbol, module)| {
                let module = module.filter(|module| *module != livepatch::NAME)?;
                Some(format!("{symbol} [{module}]"))
            }),
            innermost: frames.first().map(|(symbol, _)| symbol.to_string()),
        }
    }

    fn told(&self) -> String {
        match (&self.callback, self.core, &self.innermost) {
            (Some(callback), Some(core), _) => format!("in {callback}, called by {core}"),
            (None, Some(core), Some(innermost)) => format!("in {core}, at {innermost}"),
            (_, _, Some(innermost)) => format!("at {innermost}, not in the core"),
            _ => "running, or its stack may not be read".to_string(),
        }
    }
}

/// One line, `[<0>] symbol+0x10/0x20 [module]`.
fn frame(line: &str) -> Option<(&str, Option<&str>)> {
    let mut words = line.split_whitespace().skip(1);
    let symbol = words.next()?.split('+').next()?;
    let module = words
        .next()
        .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
    Some((symbol, module))
}

impl Task {
    fn find(process: u32, thread: u32) -> Self {
        let directory = format!("/proc/{process}/task/{thread}");
        Self {
            process,
            thread,
            name: files::comm(&directory),
            place: Place::read(
                &fs::read_to_string(format!("{directory}/stack")).unwrap_or_default(),
            ),
        }
    }

    /// As one line, for [`Task::from_line`].
    fn line(&self) -> String {
        let place = &self.place;
        [
            &self.process.to_string(),
            &self.thread.to_string(),
            &self.name,
            place.core.unwrap_or_default(),
            place.callback.as_deref().unwrap_or_default(),
            place.innermost.as_deref().unwrap_or_default(),
        ]
        .join("\t")
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let process = fields.next()?.parse().ok()?;
        let thread = fields.next()?.parse().ok()?;
        let name = fields.next()?.to_string();
        let core = functions::of_symbol(fields.next()?);
        let mut known = || fields.next().filter(|field| !field.is_empty());
        let place = Place {
            core,
            callback: known().map(str::to_string),
            innermost: known().map(str::to_string),
        };
        Some(Self {
            process,
            thread,
            name,
            place,
        })
    }

    /// For people: who it is and where.
    pub fn told(&self) -> String {
        let of = if self.process == self.thread {
            String::new()
        } else {
            format!(" of process {}", self.process)
        };
        format!("{}/{}{of}: {}", self.name, self.thread, self.place.told())
    }

    pub fn json(&self) -> Json {
        Json::object([
            ("pid", self.process.into()),
            ("tid", self.thread.into()),
            ("name", self.name.as_str().into()),
            ("function", self.place.core.into()),
            ("callback", self.place.callback.clone().into()),
            ("at", self.place.innermost.clone().into()),
        ])
    }
}

/// The tasks that are wanted, by process and thread, and once it is known by where they are.
fn all(wanted: impl Fn(u32, u32) -> bool, there: impl Fn(&Task) -> bool) -> Seen<Task> {
    look::at_all(
        |process| {
            files::numbers(format!("/proc/{process}/task"))
                .into_iter()
                .filter(|thread| wanted(process, *thread))
                .map(|thread| Task::find(process, thread))
                .filter(|task| there(task))
                .map(|task| task.line())
                .collect()
        },
        Task::from_line,
    )
}

/// The tasks that livepatch has not moved yet.
pub fn stragglers() -> Seen<Task> {
    let Some(target) = livepatch::target() else {
        return Seen::nothing();
    };
    let target = if target { "1" } else { "0" };
    let stays = |process, thread| {
        // -1: no transition, or not yet for this one.
        matches!(files::word(format!("/proc/{process}/task/{thread}/patch_state")),
                 Some(state) if state != target && state != "-1")
    };
    all(stays, |_| true)
}

/// The tasks that are inside one of the core's functions.
pub fn in_core() -> Seen<Task> {
    all(|_, _| true, |task| task.place.core.is_some())
}

#[cfg(test)]
mod tests {
    use super::{Place, Task};

    #[test]
    fn in_a_callback() {
        let place = Place::read(
            "[<0>] mnt_gate+0x10/0x20 [mmu_notifier_test]\n\
             [<0>] mnt_op_range_start+0x33/0x70 [mmu_notifier_test]\n\
             [<0>] _RNvCs_call+0x12/0x30 [mmu_notifier_rust]\n\
             [<0>] rust___mmu_notifier_invalidate_range_start+0x2/0x3 [mmu_notifier_rust]\n\
             [<0>] zap_page_range_single+0x1/0x2\n",
        );
        assert_eq!(Some("__mmu_notifier_invalidate_range_start"), place.core);
        assert_eq!(
            Some("mnt_op_range_start [mmu_notifier_test]"),
            place.callback.as_deref()
        );
        assert_eq!(Some("mnt_gate"), place.innermost.as_deref());
    }

    #[test]
    fn waiting_in_the_core() {
        let place = Place::read(
            "[<0>] synchronize_srcu+0x10/0x20\n\
             [<0>] mmu_notifier_unregister+0x2/0x3\n",
        );
        assert_eq!(None, place.callback);
        assert_eq!(
            "in mmu_notifier_unregister, at synchronize_srcu",
            place.told()
        );
    }

    #[test]
    fn as_a_line() {
        let place = |core, callback: Option<&str>, innermost: Option<&str>| Place {
            core,
            callback: callback.map(str::to_string),
            innermost: innermost.map(str::to_string),
        };
        for place in [
            place(None, None, None),
            place(Some("mmu_notifier_put"), None, Some("synchronize_srcu")),
            place(Some("mmu_notifier_put"), Some("free [m]"), Some("free")),
        ] {
            let task = Task {
                process: 812,
                thread: 813,
                name: "a name".to_string(),
                place,
            };
            let read = Task::from_line(&task.line()).unwrap();
            assert_eq!(
                (812, 813, "a name"),
                (read.process, read.thread, &*read.name)
            );
            assert_eq!(task.place, read.place);
        }
    }

    #[test]
    fn elsewhere() {
        assert_eq!(None, Place::read("[<0>] do_wait+0x1/0x2\n").core);
        assert_eq!(Place::default(), Place::read(""));
    }
}
