/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files in /sys/kernel/debug/mmu_notifier; Documentation/observing.rst says
 * what is in them, debugfs.rs writes it.
 *
 * The kernel crate's debugfs does not hold the module while a file is open, and
 * closing one would then look into what is no more.
 */
#ifndef MMN_DEBUGFS_H
#define MMN_DEBUGFS_H

#include <linux/kallsyms.h>

/* Room for the longest name of a function and its module, as %ps prints it. */
struct mmn_symbol {
	char text[KSYM_SYMBOL_LEN];
};

#ifdef CONFIG_DEBUG_FS
void mmn_debugfs_create(void);
/* Waits for those who read or write. */
void mmn_debugfs_remove(void);
#else
static inline void mmn_debugfs_create(void) { }
static inline void mmn_debugfs_remove(void) { }
#endif

struct seq_file;

/* Whether the buffer is full or the current task is killed. */
bool mmn_is_enough(struct seq_file *seq);

#ifndef __BINDGEN__
struct mmn_process;

/* In Rust. All sleep. */
void mmn_show_names(struct seq_file *seq);
void mmn_show_process(struct seq_file *seq, const struct mmn_process *process);
void mmn_show_totals(struct seq_file *seq);
void mmn_show_mode(struct seq_file *seq);
void mmn_show_stuck(struct seq_file *seq);
bool mmn_accounting(void);
void mmn_account(bool on);
#endif

#endif /* MMN_DEBUGFS_H */
