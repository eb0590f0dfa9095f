// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The module's file: where it is, which kernel it was built for, whether it is signed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::livepatch::NAME;

const MODULES: &str = "/lib/modules";
/// What the kernel's build appends to a module that it signs.
const SIGNED: &[u8] = b"~Module signature appended~\n";

pub struct ModuleFile {
    pub path: PathBuf,
    /// The release of the kernel that it was built for, if the file tells.
    pub built_for: Option<String>,
    pub signed: bool,
}

impl ModuleFile {
    /// The one that modprobe would load into a kernel of this release.
    pub fn installed(release: &str) -> Option<Self> {
        let directory = Path::new(MODULES).join(release);
        let index = fs::read_to_string(directory.join("modules.dep")).ok()?;
        Self::read(&directory.join(in_index(&index)?)).ok()
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        let content = fs::read(path)?;
        // A signature is over the module, so a packed one carries it inside.
        let content = if is_packed(path) {
            unpacked(path).unwrap_or_default()
        } else {
            content
        };
        Ok(Self {
            path: path.to_path_buf(),
            built_for: built_for(&content),
            signed: content.ends_with(SIGNED),
        })
    }

    /// For people.
    pub fn told(&self) -> String {
        format!(
            "{}, built for {}, {}",
            self.path.display(),
            self.built_for.as_deref().unwrap_or("(unknown)"),
            if self.signed { "signed" } else { "not signed" }
        )
    }
}

/// Whether the file is compressed, by its name as modprobe goes by it.
pub fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind != "ko")
}

/// What a compressed module holds, by the tools that Debian's kernel packages depend on.
fn unpacked(path: &Path) -> Option<Vec<u8>> {
    let tool = match path.extension()?.to_str()? {
        "xz" => "xz",
        "zst" => "zstd",
        "gz" => "gzip",
        _ => return None,
    };
    let done = Command::new(tool)
        .arg("-dc")
        .arg(path)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    done.status.success().then_some(done.stdout)
}

/// Whether some kernel on this machine has the module installed.
pub fn is_installed_for_any() -> bool {
    crate::files::names(MODULES)
        .iter()
        .any(|release| ModuleFile::installed(release).is_some())
}

/// The module's path in `modules.dep`, whose lines are `path: paths of what it needs`.
fn in_index(index: &str) -> Option<&str> {
    index
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0))
        .find(|path| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.split_once(".ko").is_some_and(|(stem, _)| stem == NAME)
        })
}

/// The first word of the entry `vermagic` among the module's `name=value\0` texts.
fn built_for(content: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\0vermagic=";
    let begin = content.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let value = content[begin..]
        .split(|byte| b" \0".contains(byte))
        .next()?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{built_for, in_index, is_packed};
    use std::path::Path;

    #[test]
    fn release() {
        let content = b"\x7fELF\0license=GPL\0vermagic=7.3.4+deb13-amd64 SMP preempt\0name=x\0";
        assert_eq!(Some("7.3.4+deb13-amd64"), built_for(content).as_deref());
        assert_eq!(None, built_for(b"\0license=GPL\0not_vermagic=1\0"));
    }

    #[test]
    fn index() {
        let index = "kernel/a.ko: kernel/b.ko\n\
                     updates/not_mmu_notifier_rust.ko:\n\
                     updates/dkms/mmu_notifier_rust.ko.xz:\n";
        assert_eq!(
            Some("updates/dkms/mmu_notifier_rust.ko.xz"),
            in_index(index)
        );
        assert_eq!(None, in_index("a.ko: updates/mmu_notifier_rust.ko\n"));
    }

    #[test]
    fn packed() {
        assert!(is_packed(Path::new("/a/b.ko.xz")));
        assert!(!is_packed(Path::new("/a/b.ko")));
    }
}
