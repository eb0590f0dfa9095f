// SPDX-License-Identifier: GPL-2.0

#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>
#include <linux/poison.h>
#include <linux/rculist.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "helpers.h"

/*
 * The locks of an mm's state outlive a module, their lock classes would not;
 * and the lock map of range_start is not exported.
 */
#if defined(MODULE) && defined(CONFIG_LOCKDEP)
#error "a kernel with lockdep takes the core built in, not as a livepatch"
#endif

void mmn_hlist_add_head_rcu(struct hlist_node *node, struct hlist_head *head)
{
	hlist_add_head_rcu(node, head);
}

void mmn_hlist_del_init_rcu(struct hlist_node *node)
{
	hlist_del_init_rcu(node);
}

void mmn_hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	hlist_add_head(node, head);
}

void mmn_hlist_del(struct hlist_node *node)
{
	hlist_del(node);
}

void *mmn_list_poison1(void)
{
	return LIST_POISON1;
}

void mmn_init_locks(spinlock_t *lock, struct wait_queue_head *wq)
{
	spin_lock_init(lock);
	init_waitqueue_head(wq);
}

void mmn_mmap_write_lock(struct mm_struct *mm)
{
	mmap_write_lock(mm);
}

void mmn_mmap_write_unlock(struct mm_struct *mm)
{
	mmap_write_unlock(mm);
}

void mmn_mmap_assert_write_locked(const struct mm_struct *mm)
{
	mmap_assert_write_locked(mm);
}

void mmn_might_lock_mmap(struct mm_struct *mm)
{
	might_lock(&mm->mmap_lock);
}

void mmn_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

void mmn_vma_iter_init(struct vma_iterator *vmi, struct mm_struct *mm)
{
	vma_iter_init(vmi, mm, 0);
}

bool mmn_file_is_hugetlb(const struct file *file)
{
	return is_file_hugepages(file);
}

struct rw_semaphore *mmn_avc_root_rwsem(const struct list_head *same_vma)
{
	return &list_entry(same_vma, struct anon_vma_chain, same_vma)->anon_vma->root->rwsem;
}

bool mmn_rwsem_is_locked(struct rw_semaphore *sem)
{
	return rwsem_is_locked(sem);
}

void mmn_down_write_nested_in(struct rw_semaphore *sem, struct mm_struct *mm)
{
	down_write_nest_lock(sem, &mm->mmap_lock);
}

void mmn_sort(void *base, size_t num, size_t size, cmp_func_t cmp)
{
	sort_nonatomic(base, num, size, cmp, NULL);
}

void *mmn_kvmalloc_array(size_t num, size_t size)
{
	return kvmalloc_array(num, size,
			      GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
}

void mmn_non_block_start(void)
{
	non_block_start();
}

void mmn_non_block_end(void)
{
	non_block_end();
}

void mmn_range_start_map_acquire(void)
{
	lock_map_acquire(&__mmu_notifier_invalidate_range_start_map);
}

void mmn_range_start_map_release(void)
{
	lock_map_release(&__mmu_notifier_invalidate_range_start_map);
}

#ifdef CONFIG_DEBUG_LOCK_ALLOC
/* As srcu_struct has one: sections are read-side, a wait is an empty write side. */
static struct lock_class_key domain_key;
static struct lockdep_map domain_map =
	STATIC_LOCKDEP_MAP_INIT("mmu_notifier_domain", &domain_key);

void mmn_domain_acquire(void)
{
	lock_map_acquire_read(&domain_map);
}

void mmn_domain_release(void)
{
	lock_map_release(&domain_map);
}

void mmn_domain_sync(void)
{
	lock_map_sync(&domain_map);
}
#endif
