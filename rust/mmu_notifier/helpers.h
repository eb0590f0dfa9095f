/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's bindings lack: inline functions, and functions of headers
 * that they leave out.
 */
#ifndef MMU_NOTIFIER_HELPERS_H
#define MMU_NOTIFIER_HELPERS_H

#include <linux/types.h>

struct file;
struct file_operations;
struct mm_struct;
struct mmu_interval_notifier;
struct mmu_notifier;
struct mmu_notifier_ops;
struct module;
struct page;
struct proc_dir_entry;
struct seq_file;
struct vm_area_struct;

bool mmu_notifier_helper_module_get(struct module *module);
void mmu_notifier_helper_module_put(struct module *module);
struct mmu_notifier *mmu_notifier_helper_get(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm);
void mmu_notifier_helper_set_seq(struct mmu_interval_notifier *interval_sub,
				 unsigned long cur_seq);
bool mmu_notifier_helper_read_retry(struct mmu_interval_notifier *interval_sub,
				    unsigned long seq);
int mmu_notifier_helper_get_user_page(struct mm_struct *mm, unsigned long addr,
				      bool write, struct page **page);
void mmu_notifier_helper_put_page(struct page *page);
unsigned long mmu_notifier_helper_entry_size(const struct page *page);
void mmu_notifier_helper_zap(struct vm_area_struct *vma, unsigned long start,
			     unsigned long size);
unsigned long mmu_notifier_helper_page_to_pfn(const struct page *page);

/* linux/anon_inodes.h, linux/proc_fs.h: not among the kernel's bindings. */
struct file *mmu_notifier_helper_anon_file(const char *name,
					   const struct file_operations *fops,
					   void *private_data, int flags);
struct proc_dir_entry *mmu_notifier_helper_proc_folder(const char *name);
struct proc_dir_entry *
mmu_notifier_helper_proc_file(const char *name, struct proc_dir_entry *folder,
			      int (*show)(struct seq_file *file, void *data),
			      void *data);
void mmu_notifier_helper_proc_remove(struct proc_dir_entry *entry);

#endif
