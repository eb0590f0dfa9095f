// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which processes run virtual machines.

use std::fs;

use crate::files;
use crate::json::Json;
use crate::look::{self, Seen};

const VM: &str = "anon_inode:kvm-vm";

/// A process that has virtual machines open.
pub struct Owner {
    pub pid: u32,
    pub name: String,
    pub machines: u32,
}

impl Owner {
    pub fn json(&self) -> Json {
        Json::object([
            ("pid", self.pid.into()),
            ("name", self.name.as_str().into()),
            ("machines", self.machines.into()),
        ])
    }
}

/// Those processes whose open files may be looked at.
pub fn owners() -> Seen<Owner> {
    look::at_all(
        |pid| {
            let machines = machines(pid);
            let name = files::comm(format!("/proc/{pid}"));
            let line = (machines > 0).then(|| format!("{pid} {machines} {name}"));
            line.into_iter().collect()
        },
        owner,
    )
}

fn machines(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.as_os_str() == VM)
        .count()
}

fn owner(line: &str) -> Option<Owner> {
    let mut fields = line.splitn(3, ' ');
    Some(Owner {
        pid: fields.next()?.parse().ok()?,
        machines: fields.next()?.parse().ok()?,
        name: fields.next()?.to_string(),
    })
}

/// For people: how many, and where.
pub fn told(owners: &[Owner]) -> String {
    if owners.is_empty() {
        return "none running".to_string();
    }
    let each: Vec<String> = owners
        .iter()
        .map(|owner| format!("{} in {}/{}", owner.machines, owner.name, owner.pid))
        .collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn from_a_line() {
        let found = owner("812 2 CPU 0/KVM").unwrap();
        let fields = (found.pid, found.machines, found.name.as_str());
        assert_eq!((812, 2, "CPU 0/KVM"), fields);
    }
}
