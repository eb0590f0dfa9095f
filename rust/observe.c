// SPDX-License-Identifier: GPL-2.0

#include "observe.h"
#include "processes.h"

#define CREATE_TRACE_POINTS
#include "tracepoints.h"

struct mmn_observing mmn_observing = { .key = STATIC_KEY_FALSE_INIT };

int mmn_observe_begin(void)
{
	mmn_observers_changed(1);
	static_branch_inc(&mmn_observing.key);
	return 0;
}

void mmn_observe_end(void)
{
	static_branch_dec(&mmn_observing.key);
	mmn_observers_changed(-1);
}

void mmn_trace_register(const struct mm_struct *mm, const void *subscription,
			const void *callback)
{
	trace_mmn_register(mm, subscription, callback);
}

void mmn_trace_unregister(const struct mm_struct *mm, const void *subscription,
			  const void *callback)
{
	trace_mmn_unregister(mm, subscription, callback);
}

void mmn_trace_put(const struct mm_struct *mm, const void *subscription,
		   const void *callback)
{
	trace_mmn_put(mm, subscription, callback);
}

void mmn_trace_free(const struct mm_struct *mm, const void *subscription,
		    const void *callback)
{
	trace_mmn_free(mm, subscription, callback);
}

void mmn_trace_insert(const struct mm_struct *mm, const void *subscription,
		      const void *callback, unsigned long start,
		      unsigned long end)
{
	trace_mmn_insert(mm, subscription, callback, start, end);
}

void mmn_trace_remove(const struct mm_struct *mm, const void *subscription,
		      const void *callback, unsigned long start,
		      unsigned long end)
{
	trace_mmn_remove(mm, subscription, callback, start, end);
}

void mmn_trace_range_start(const struct mmu_notifier_range *range,
			   const void *subscription, const void *callback,
			   int ret, u64 duration)
{
	trace_mmn_range_start(range, subscription, callback, ret, duration);
}

void mmn_trace_range_end(const struct mmu_notifier_range *range,
			 const void *subscription, const void *callback,
			 u64 duration)
{
	trace_mmn_range_end(range, subscription, callback, 0, duration);
}

void mmn_trace_invalidate(const struct mmu_notifier_range *range,
			  const void *subscription, const void *callback,
			  int ret, u64 duration)
{
	trace_mmn_invalidate(range, subscription, callback, ret, duration);
}

void mmn_trace_invalidate_finish(const struct mmu_notifier_range *range,
				 const void *subscription,
				 const void *callback, u64 duration)
{
	trace_mmn_invalidate_finish(range, subscription, callback, 0, duration);
}

void mmn_trace_secondary_tlbs(const struct mm_struct *mm,
			      const void *subscription, const void *callback,
			      unsigned long start, unsigned long end,
			      u64 duration)
{
	trace_mmn_secondary_tlbs(mm, subscription, callback, start, end, 0,
				 duration);
}

void mmn_trace_clear_flush_young(const struct mm_struct *mm,
				 const void *subscription,
				 const void *callback, unsigned long start,
				 unsigned long end, bool young, u64 duration)
{
	trace_mmn_clear_flush_young(mm, subscription, callback, start, end,
				    young, duration);
}

void mmn_trace_clear_young(const struct mm_struct *mm,
			   const void *subscription, const void *callback,
			   unsigned long start, unsigned long end, bool young,
			   u64 duration)
{
	trace_mmn_clear_young(mm, subscription, callback, start, end, young,
			      duration);
}

void mmn_trace_test_young(const struct mm_struct *mm, const void *subscription,
			  const void *callback, unsigned long address,
			  bool young, u64 duration)
{
	trace_mmn_test_young(mm, subscription, callback, address,
			     address + PAGE_SIZE, young, duration);
}

void mmn_trace_release(const struct mm_struct *mm, const void *subscription,
		       const void *callback, u64 duration)
{
	trace_mmn_release(mm, subscription, callback, duration);
}

void mmn_trace_wait_begin(const struct mm_struct *mm, bool intervals)
{
	trace_mmn_wait_begin(mm, intervals);
}

void mmn_trace_wait_end(const struct mm_struct *mm, bool intervals,
			u64 duration)
{
	trace_mmn_wait_end(mm, intervals, duration);
}

void mmn_trace_blocked(const struct mm_struct *mm, bool intervals,
		       const struct task_struct *reader, const void *callback)
{
	if (trace_mmn_blocked_enabled() && mmn_is_task(reader))
		trace_mmn_blocked(mm, intervals, reader, callback);
}

void mmn_trace_mm_lock(const struct mm_struct *mm, unsigned long vmas,
		       unsigned long locks, bool native, int ret, u64 duration)
{
	trace_mmn_mm_lock(mm, vmas, locks, native, ret, duration);
}

void mmn_trace_mode(bool native)
{
	trace_mmn_mode(native);
}
