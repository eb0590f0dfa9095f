// SPDX-License-Identifier: GPL-2.0
/*
 * Linked into each module that uses the crate.
 */
#include <linux/anon_inodes.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/proc_fs.h>

#include "helpers.h"

bool mmu_notifier_helper_module_get(struct module *module)
{
	return try_module_get(module);
}

void mmu_notifier_helper_module_put(struct module *module)
{
	module_put(module);
}

struct mmu_notifier *mmu_notifier_helper_get(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm)
{
	return mmu_notifier_get(ops, mm);
}

void mmu_notifier_helper_set_seq(struct mmu_interval_notifier *interval_sub,
				 unsigned long cur_seq)
{
	mmu_interval_set_seq(interval_sub, cur_seq);
}

bool mmu_notifier_helper_read_retry(struct mmu_interval_notifier *interval_sub,
				    unsigned long seq)
{
	return mmu_interval_read_retry(interval_sub, seq);
}

/*
 * Faults the page at addr in and takes a reference on it. Unlike
 * get_user_pages_unlocked() for any mm; the fault may drop the mmap lock, as
 * userfaultfd needs, and a signal ends it.
 *
 * A NUMA hint must fault, as it does on the CPU: what the CPU cannot cache is
 * taken away without a flush of any TLB. And a tag must be refused: ranges
 * come without.
 */
int mmu_notifier_helper_get_user_page(struct mm_struct *mm, unsigned long addr,
				      bool write, struct page **page)
{
	unsigned int flags = FOLL_INTERRUPTIBLE | FOLL_HONOR_NUMA_FAULT |
			     (write ? FOLL_WRITE : 0);
	int locked = 1;
	long got;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	if (untagged_addr_remote(mm, addr) != addr) {
		mmap_read_unlock(mm);
		return -EFAULT;
	}
	got = get_user_pages_remote(mm, addr, 1, flags, page, &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (got == 1)
		return 0;
	/* All else means memory that is not to be had, in one way or another. */
	return got == -EINTR || got == -ENOMEM ? got : -EFAULT;
}

void mmu_notifier_helper_put_page(struct page *page)
{
	put_page(page);
}

/*
 * Of hugetlbfs a page table entry always maps a whole huge page, and flushing
 * it names any one small page of that.
 */
unsigned long mmu_notifier_helper_entry_size(const struct page *page)
{
	const struct folio *folio = page_folio(page);

	return folio_test_hugetlb(folio) ? folio_size(folio) : PAGE_SIZE;
}

/*
 * In a callback, zapping calls others. Lockdep has one map for the callbacks of
 * all processes and would take that for a recursion. It goes no deeper: what is
 * zapped here is no source that anybody could watch.
 */
void mmu_notifier_helper_zap(struct vm_area_struct *vma, unsigned long start,
			     unsigned long size)
{
	lockdep_off();
	zap_special_vma_range(vma, start, size);
	lockdep_on();
}

unsigned long mmu_notifier_helper_page_to_pfn(const struct page *page)
{
	return page_to_pfn(page);
}

struct file *mmu_notifier_helper_anon_file(const char *name,
					   const struct file_operations *fops,
					   void *private_data, int flags)
{
	return anon_inode_getfile(name, fops, private_data, flags);
}

struct proc_dir_entry *mmu_notifier_helper_proc_folder(const char *name)
{
	return proc_mkdir(name, NULL);
}

struct proc_dir_entry *
mmu_notifier_helper_proc_file(const char *name, struct proc_dir_entry *folder,
			      int (*show)(struct seq_file *file, void *data),
			      void *data)
{
	return proc_create_single_data(name, 0444, folder, show, data);
}

void mmu_notifier_helper_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}
