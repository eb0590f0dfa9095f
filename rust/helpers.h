/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel offers only as a macro or an inline function, as functions
 * that bindgen can see. Forwarders only: no logic lives here.
 */
#ifndef MMN_HELPERS_H
#define MMN_HELPERS_H

#include <linux/mm_types.h>
#include <linux/rmap.h>
#include <linux/sort.h>
#include <linux/spinlock_types.h>
#include <linux/wait.h>

/* linux/rculist.h, linux/list.h */
void mmn_hlist_add_head_rcu(struct hlist_node *node, struct hlist_head *head);
void mmn_hlist_del_init_rcu(struct hlist_node *node);
void mmn_hlist_add_head(struct hlist_node *node, struct hlist_head *head);
void mmn_hlist_del(struct hlist_node *node);

/* linux/poison.h: what a pointer to freed state is set to. */
void *mmn_list_poison1(void);

/* Initialisers, which are macros for the sake of their lock classes. */
void mmn_init_locks(spinlock_t *lock, struct wait_queue_head *wq);

/* linux/mmap_lock.h */
void mmn_mmap_write_lock(struct mm_struct *mm);
void mmn_mmap_write_unlock(struct mm_struct *mm);
void mmn_mmap_assert_write_locked(const struct mm_struct *mm);
void mmn_might_lock_mmap(struct mm_struct *mm);
void mmn_vma_start_write(struct vm_area_struct *vma);

/* linux/mm.h, linux/hugetlb.h */
void mmn_vma_iter_init(struct vma_iterator *vmi, struct mm_struct *mm);
bool mmn_file_is_hugetlb(const struct file *file);

/* linux/rmap.h: the lock of the root of an anon_vma, given its link to a VMA. */
struct rw_semaphore *mmn_avc_root_rwsem(const struct list_head *same_vma);

/* linux/rwsem.h */
bool mmn_rwsem_is_locked(struct rw_semaphore *sem);

/* linux/rwsem.h: write lock nested inside @mm's mmap_lock. */
void mmn_down_write_nested_in(struct rw_semaphore *sem, struct mm_struct *mm);

/* linux/slab.h: NULL rather than a visit of the OOM killer. */
void *mmn_kvmalloc_array(size_t num, size_t size);

/* linux/sort.h: heap sort in place, in constant stack. */
void mmn_sort(void *base, size_t num, size_t size, cmp_func_t cmp);

/* linux/kernel.h */
void mmn_non_block_start(void);
void mmn_non_block_end(void);

/* linux/lockdep.h: __mmu_notifier_invalidate_range_start_map */
void mmn_range_start_map_acquire(void);
void mmn_range_start_map_release(void);

/*
 * linux/lockdep.h: sections of any domain, and waiting for one to end. With
 * CONFIG_DEBUG_LOCK_ALLOC only.
 */
void mmn_domain_acquire(void);
void mmn_domain_release(void);
void mmn_domain_sync(void);

#endif
