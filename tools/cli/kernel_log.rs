// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the kernel says about a module while we ask something of it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use crate::livepatch::NAME;
use crate::sys;

/// The kernel log from now on; nothing, where it may not be read.
pub struct KernelLog(Option<File>);

impl KernelLog {
    pub fn from_now() -> Self {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(sys::O_NONBLOCK)
            .open("/dev/kmsg");
        Self(
            file.ok()
                .filter(|mut file| file.seek(SeekFrom::End(0)).is_ok()),
        )
    }

    /// What has been said since then and concerns us.
    pub fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        let mut record = [0; 8192];
        while let Some(Ok(count)) = self.0.as_mut().map(|file| file.read(&mut record)) {
            said.extend(message(&String::from_utf8_lossy(&record[..count])));
        }
        // The kernel may look twice, and say so twice.
        said.dedup();
        said
    }
}

/// The text of a record, `priority,number,time,flags;text`, if it concerns us.
fn message(record: &str) -> Option<String> {
    let text = record.split_once(';')?.1.lines().next()?;
    let concerns = [NAME, "livepatch", "Lockdown", "signature", "module"];
    concerns
        .iter()
        .any(|word| text.contains(word))
        .then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn records() {
        assert_eq!(
            Some("livepatch: no".to_string()),
            message("3,339,5140900,-;livepatch: no\n SUBSYSTEM=x\n")
        );
        assert_eq!(None, message("6,339,5140900,-;eth0: up\n"));
    }
}
