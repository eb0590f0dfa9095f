// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The running kernel: whether the module can take over in it, and if not, why.

use std::fs;
use std::path::Path;

use crate::files;
use crate::functions;
use crate::livepatch;
use crate::module_file::ModuleFile;

pub struct Kernel {
    pub release: String,
    pub livepatch: bool,
    pub btf: bool,
    /// Functions that the module needs and the kernel does not have.
    pub missing: Vec<String>,
    pub signatures_enforced: Option<bool>,
    /// `none`, `integrity` or `confidentiality`, where the kernel has lockdown and shows it.
    pub lockdown: Option<String>,
    pub tracing_off: bool,
    pub loading_off: bool,
}

impl Kernel {
    pub fn running() -> Self {
        Self {
            release: files::word("/proc/sys/kernel/osrelease").unwrap_or_default(),
            livepatch: livepatch::available(),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            missing: functions::missing(&fs::read_to_string("/proc/kallsyms").unwrap_or_default()),
            signatures_enforced: files::flag("/sys/module/module/parameters/sig_enforce"),
            lockdown: files::word("/sys/kernel/security/lockdown")
                .and_then(|choices| chosen(&choices).map(str::to_string)),
            tracing_off: files::flag("/proc/sys/kernel/ftrace_enabled") == Some(false),
            loading_off: files::flag("/proc/sys/kernel/modules_disabled") == Some(true),
        }
    }

    /// Why the module cannot be loaded; nothing if nothing is known against it.
    pub fn refusals(&self, module: Option<&ModuleFile>) -> Vec<String> {
        let mut why = Vec::new();
        if !self.livepatch {
            why.push("this kernel cannot be livepatched (CONFIG_LIVEPATCH)".to_string());
        }
        if !self.btf {
            why.push(
                "this kernel has no type information to compare the module's with \
                 (/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)"
                    .to_string(),
            );
        }
        if !self.missing.is_empty() {
            why.push(format!(
                "this kernel lacks functions that the module needs: {}",
                self.missing.join(" ")
            ));
        }
        if self.tracing_off {
            why.push("ftrace is off: sysctl kernel.ftrace_enabled=1".to_string());
        }
        if self.loading_off {
            why.push(
                "loading of modules is off until the next boot (sysctl kernel.modules_disabled)"
                    .to_string(),
            );
        }
        match module {
            None => why.push(format!(
                "no {}.ko is installed for {}: install one, or name a file with --module",
                livepatch::NAME,
                self.release
            )),
            Some(module) => self.against(module, &mut why),
        }
        why
    }

    fn against(&self, module: &ModuleFile, why: &mut Vec<String>) {
        match &module.built_for {
            None => why.push(format!(
                "{} does not tell which kernel it was built for: is it a module?",
                module.path.display()
            )),
            Some(release) if *release != self.release => why.push(format!(
                "{} was built for {release}, but {} is running: build it for that \
                 (make module KVER={})",
                module.path.display(),
                self.release,
                self.release
            )),
            Some(_) => {}
        }
        if module.signed {
            return;
        }
        if self.signatures_enforced == Some(true) {
            why.push(
                "this kernel wants modules signed (module.sig_enforce), and this one is not: \
                 sign it with a key that the kernel trusts"
                    .to_string(),
            );
        }
        if let Some(level) = self.lockdown.as_deref().filter(|level| *level != "none") {
            why.push(format!(
                "this kernel is locked down ({level}) and takes signed modules only, and this one \
                 is not: sign it with a key that the kernel trusts, or boot without lockdown"
            ));
        }
    }
}

/// The one in brackets of `none [integrity] confidentiality`.
fn chosen(choices: &str) -> Option<&str> {
    choices
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

#[cfg(test)]
mod tests {
    use super::{chosen, Kernel};
    use crate::module_file::ModuleFile;

    fn kernel() -> Kernel {
        Kernel {
            release: "7.3.4".to_string(),
            livepatch: true,
            btf: true,
            missing: Vec::new(),
            signatures_enforced: Some(false),
            lockdown: Some("none".to_string()),
            tracing_off: false,
            loading_off: false,
        }
    }

    fn module(built_for: &str, signed: bool) -> ModuleFile {
        ModuleFile {
            path: "/m.ko".into(),
            built_for: Some(built_for.to_string()),
            signed,
        }
    }

    #[test]
    fn lockdown() {
        assert_eq!(
            Some("integrity"),
            chosen("none [integrity] confidentiality")
        );
        assert_eq!(None, chosen(""));
    }

    #[test]
    fn nothing_against_it() {
        assert!(kernel().refusals(Some(&module("7.3.4", false))).is_empty());
    }

    #[test]
    fn another_release() {
        let why = kernel().refusals(Some(&module("7.3.3", true)));
        assert_eq!(1, why.len());
        assert!(why[0].contains("built for 7.3.3, but 7.3.4 is running"));
    }

    #[test]
    fn only_signed_modules() {
        let mut strict = kernel();
        strict.signatures_enforced = Some(true);
        strict.lockdown = Some("integrity".to_string());
        assert_eq!(2, strict.refusals(Some(&module("7.3.4", false))).len());
        assert!(strict.refusals(Some(&module("7.3.4", true))).is_empty());
    }

    #[test]
    fn what_the_kernel_lacks() {
        let poor = Kernel {
            livepatch: false,
            btf: false,
            missing: vec!["klp_find_ops".to_string()],
            ..kernel()
        };
        assert_eq!(4, poor.refusals(None).len());
    }
}
