// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The core's files in debugfs: lines of fields, named by the first one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::json::Json;

pub const DIRECTORY: &str = "/sys/kernel/debug/mmu_notifier";

/// One line, as (name, value).
#[derive(Clone)]
pub struct Record(Vec<(String, String)>);

impl Record {
    /// A field's value, if it is there and known.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        (value != "-").then_some(value)
    }

    /// A field's value for people.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or("-")
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The driver: its callback, and its module unless that is the kernel itself.
    pub fn driver(&self) -> String {
        match self.get("module") {
            Some(module) => format!("{} [{module}]", self.text("callback")),
            None => self.text("callback").to_string(),
        }
    }

    /// All fields, by the names that they have in the file.
    pub fn json(&self) -> Json {
        Json::Object(
            self.0
                .iter()
                .map(|(name, value)| (name.clone().into(), json_value(name, value)))
                .collect(),
        )
    }
}

fn json_value(name: &str, value: &str) -> Json {
    match (name, value) {
        // A process may be called anything.
        ("comm", _) => value.into(),
        ("waiting", "-") => Json::List(Vec::new()),
        ("waiting", _) => Json::List(value.split(',').map(plain_value).collect()),
        _ => plain_value(value),
    }
}

fn plain_value(value: &str) -> Json {
    match value.parse::<u64>() {
        _ if value == "-" => Json::Null,
        // Hashed pointers are hexadecimal and may look decimal.
        Ok(number) if number.to_string() == value => number.into(),
        _ => value.into(),
    }
}

/// The lines of a file but the first, which names the fields; the last field may hold blanks.
pub fn records(text: &str) -> Vec<Record> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or("").split(' ').collect();
    lines
        .map(|line| line.splitn(names.len(), ' ').collect::<Vec<&str>>())
        .filter(|values| values.len() == names.len())
        .map(|values| {
            let fields = names.iter().zip(values);
            Record(
                fields
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect(),
            )
        })
        .collect()
}

/// Where the files are.
pub struct Files(pub PathBuf);

impl Files {
    pub fn read(&self, name: &str) -> io::Result<Vec<Record>> {
        Ok(records(&fs::read_to_string(self.0.join(name))?))
    }

    pub fn accounting(&self) -> io::Result<bool> {
        Ok(fs::read_to_string(self.0.join("accounting"))?.trim() == "1")
    }

    pub fn account(&self, on: bool) -> io::Result<()> {
        fs::write(self.0.join("accounting"), if on { "1" } else { "0" })
    }

    /// What keeps them from being read, and what to do about it.
    pub fn trouble(&self, error: &io::Error) -> String {
        let directory = self.0.display();
        if error.kind() == io::ErrorKind::PermissionDenied {
            return format!("{directory}: {error}: `top` needs root");
        }
        if self.0 == Path::new(DIRECTORY) && !Path::new("/sys/kernel/debug/sleep_time").exists() {
            let mounted = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
            if !mounted.contains(" /sys/kernel/debug debugfs ") {
                return "debugfs is not mounted: mount -t debugfs none /sys/kernel/debug"
                    .to_string();
            }
        }
        format!(
            "{directory}: {error}: C serves (mmu-notifier enable), or the core in charge has no \
             files in debugfs"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::records;

    const TEXT: &str = "pid id kind age_ns waiting comm\n\
                        812 0000000000001234 whole 1204000000 820,821 a b\n\
                        813 00000000feedbee5 interval - - 77\n\
                        torn li\n";

    #[test]
    fn by_names() {
        let records = records(TEXT);
        assert_eq!(2, records.len());
        assert_eq!(Some(1_204_000_000), records[0].number("age_ns"));
        assert_eq!("a b", records[0].text("comm"));
        assert_eq!(None, records[1].number("age_ns"));
        assert_eq!("-", records[1].text("no_such"));
    }

    #[test]
    fn json() {
        let records = records(TEXT);
        assert_eq!(
            r#"{"pid": 812, "id": "0000000000001234", "kind": "whole", "age_ns": 1204000000, "waiting": [820, 821], "comm": "a b"}"#,
            records[0].json().to_string()
        );
        assert_eq!(
            r#"{"pid": 813, "id": "00000000feedbee5", "kind": "interval", "age_ns": null, "waiting": [], "comm": "77"}"#,
            records[1].json().to_string()
        );
    }

    #[test]
    fn empty() {
        assert!(records("").is_empty());
    }
}
