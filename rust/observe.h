/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether anybody looks at what the core does, and the events; see observe.rs.
 */
#ifndef MMN_OBSERVE_H
#define MMN_OBSERVE_H

#include <linux/jump_label.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>

/*
 * On while somebody looks. In a structure, where the kernel crate wants a key
 * to be.
 */
extern struct mmn_observing {
	struct static_key_false key;
} mmn_observing;
int mmn_observe_begin(void);
void mmn_observe_end(void);

/* One more or less of them, in Rust. */
#ifndef __BINDGEN__
void mmn_observers_changed(int by);
#endif

/* trace_*(), each of the event of its name. */
void mmn_trace_register(const struct mm_struct *mm, const void *subscription,
			const void *callback);
void mmn_trace_unregister(const struct mm_struct *mm, const void *subscription,
			  const void *callback);
void mmn_trace_put(const struct mm_struct *mm, const void *subscription,
		   const void *callback);
void mmn_trace_free(const struct mm_struct *mm, const void *subscription,
		    const void *callback);
void mmn_trace_insert(const struct mm_struct *mm, const void *subscription,
		      const void *callback, unsigned long start,
		      unsigned long end);
void mmn_trace_remove(const struct mm_struct *mm, const void *subscription,
		      const void *callback, unsigned long start,
		      unsigned long end);
void mmn_trace_range_start(const struct mmu_notifier_range *range,
			   const void *subscription, const void *callback,
			   int ret, u64 duration);
void mmn_trace_range_end(const struct mmu_notifier_range *range,
			 const void *subscription, const void *callback,
			 u64 duration);
void mmn_trace_invalidate(const struct mmu_notifier_range *range,
			  const void *subscription, const void *callback,
			  int ret, u64 duration);
void mmn_trace_invalidate_finish(const struct mmu_notifier_range *range,
				 const void *subscription,
				 const void *callback, u64 duration);
void mmn_trace_secondary_tlbs(const struct mm_struct *mm,
			      const void *subscription, const void *callback,
			      unsigned long start, unsigned long end,
			      u64 duration);
void mmn_trace_clear_flush_young(const struct mm_struct *mm,
				 const void *subscription,
				 const void *callback, unsigned long start,
				 unsigned long end, bool young, u64 duration);
void mmn_trace_clear_young(const struct mm_struct *mm,
			   const void *subscription, const void *callback,
			   unsigned long start, unsigned long end, bool young,
			   u64 duration);
void mmn_trace_test_young(const struct mm_struct *mm, const void *subscription,
			  const void *callback, unsigned long address,
			  bool young, u64 duration);
void mmn_trace_release(const struct mm_struct *mm, const void *subscription,
		       const void *callback, u64 duration);
void mmn_trace_wait_begin(const struct mm_struct *mm, bool intervals);
void mmn_trace_wait_end(const struct mm_struct *mm, bool intervals,
			u64 duration);
/*
 * @reader need not be a task any more: it is looked for. In an RCU section,
 * which then keeps it.
 */
void mmn_trace_blocked(const struct mm_struct *mm, bool intervals,
		       const struct task_struct *reader, const void *callback);
void mmn_trace_mm_lock(const struct mm_struct *mm, unsigned long vmas,
		       unsigned long locks, bool native, int ret, u64 duration);
void mmn_trace_mode(bool native);

#endif /* MMN_OBSERVE_H */
