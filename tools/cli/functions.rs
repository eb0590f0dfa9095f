// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The functions of the kernel that the module redirects, and what else it needs of the kernel.

use std::collections::HashSet;

/// What the kernel's memory management and its drivers call of the MMU-notifier core.
pub const CORE: [&str; 18] = [
    "__mmu_notifier_release",
    "__mmu_notifier_clear_flush_young",
    "__mmu_notifier_clear_young",
    "__mmu_notifier_test_young",
    "__mmu_notifier_invalidate_range_start",
    "__mmu_notifier_invalidate_range_end",
    "__mmu_notifier_arch_invalidate_secondary_tlbs",
    "__mmu_notifier_subscriptions_destroy",
    "mmu_notifier_register",
    "__mmu_notifier_register",
    "mmu_notifier_unregister",
    "mmu_notifier_get_locked",
    "mmu_notifier_put",
    "mmu_notifier_synchronize",
    "mmu_interval_notifier_insert",
    "mmu_interval_notifier_insert_locked",
    "mmu_interval_notifier_remove",
    "mmu_interval_read_begin",
];

/// What the module reaches through livepatch relocations, as the kernel does not export it.
const REACHED: [&str; 3] = ["mm_take_all_locks", "mm_drop_all_locks", "klp_find_ops"];

/// Those that a kernel's list of symbols (`/proc/kallsyms`) does not have.
pub fn missing(symbols: &str) -> Vec<String> {
    let there: HashSet<&str> = symbols
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(2);
            let name = words.next()?;
            // A module's symbol has the module's name behind it.
            words.next().is_none().then_some(name)
        })
        .collect();
    CORE.iter()
        .chain(&REACHED)
        .filter(|name| !there.contains(*name))
        .map(|name| name.to_string())
        .collect()
}

/// The function of the core that a symbol stands for, in C or in Rust.
pub fn of_symbol(symbol: &str) -> Option<&'static str> {
    CORE.into_iter()
        .find(|name| symbol == *name || symbol.strip_prefix("rust_") == Some(name))
}

#[cfg(test)]
mod tests {
    use super::{missing, of_symbol, CORE, REACHED};

    fn kernel() -> String {
        let lines = CORE.iter().chain(&REACHED);
        lines
            .map(|name| format!("0000000000000000 T {name}\n"))
            .collect()
    }

    #[test]
    fn all_there() {
        assert!(missing(&kernel()).is_empty());
    }

    #[test]
    fn one_is_another_modules() {
        let symbols = kernel().replace("mmu_notifier_put", "mmu_notifier_put\t[other]");
        assert_eq!(["mmu_notifier_put"], missing(&symbols)[..]);
    }

    #[test]
    fn either_core() {
        assert_eq!(Some("mmu_notifier_put"), of_symbol("rust_mmu_notifier_put"));
        assert_eq!(Some("mmu_notifier_put"), of_symbol("mmu_notifier_put"));
        assert_eq!(None, of_symbol("mmu_notifier_put_more"));
    }
}
