// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Reading the small files of proc and sysfs.

use std::fs;
use std::path::Path;

/// A file's content without blanks around it, if it is there and may be read.
pub fn word(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_string())
}

/// The name of a task as the core's files in debugfs show it: a terminal obeys none, and it is
/// one line.
pub fn comm(directory: impl AsRef<Path>) -> String {
    let content = fs::read(directory.as_ref().join("comm")).unwrap_or_default();
    printable(content.strip_suffix(b"\n").unwrap_or(&content))
}

fn printable(name: &[u8]) -> String {
    name.iter()
        .map(|byte| match byte {
            b' '..=b'~' if *byte != b'\\' => char::from(*byte).to_string(),
            _ => format!("\\{byte:03o}"),
        })
        .collect()
}

/// A file that says yes or no.
pub fn flag(path: impl AsRef<Path>) -> Option<bool> {
    match word(path)?.as_str() {
        "1" | "Y" => Some(true),
        "0" | "N" => Some(false),
        _ => None,
    }
}

/// The names in a directory, sorted; none if it cannot be read.
pub fn names(path: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The names in a directory that are numbers, as in `/proc`.
pub fn numbers(path: impl AsRef<Path>) -> Vec<u32> {
    let mut numbers: Vec<u32> = names(path).iter().filter_map(|n| n.parse().ok()).collect();
    numbers.sort();
    numbers
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn names() {
        assert_eq!("a b~", printable(b"a b~"));
        assert_eq!("\\033[2J\\012\\303\\134", printable(b"\x1b[2J\n\xc3\\"));
    }
}
