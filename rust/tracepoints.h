/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The events mmu_notifier:*; Documentation/observing.rst says what each is.
 *
 * Durations are in nanoseconds. Pointers are for telling one from another.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmu_notifier

#if !defined(MMN_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define MMN_TRACEPOINTS_H

#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "observe.h"

/* For tools that evaluate formats themselves: they know no names of C. */
TRACE_DEFINE_ENUM(MMU_NOTIFY_UNMAP);
TRACE_DEFINE_ENUM(MMU_NOTIFY_CLEAR);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_VMA);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_PAGE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_SOFT_DIRTY);
TRACE_DEFINE_ENUM(MMU_NOTIFY_RELEASE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_MIGRATE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_EXCLUSIVE);

#ifndef MMN_SHOW_EVENT
#define MMN_SHOW_EVENT(event) __print_symbolic(event,			\
	{ MMU_NOTIFY_UNMAP,		"unmap" },			\
	{ MMU_NOTIFY_CLEAR,		"clear" },			\
	{ MMU_NOTIFY_PROTECTION_VMA,	"protection_vma" },		\
	{ MMU_NOTIFY_PROTECTION_PAGE,	"protection_page" },		\
	{ MMU_NOTIFY_SOFT_DIRTY,	"soft_dirty" },			\
	{ MMU_NOTIFY_RELEASE,		"release" },			\
	{ MMU_NOTIFY_MIGRATE,		"migrate" },			\
	{ MMU_NOTIFY_EXCLUSIVE,		"exclusive" })
#endif

/* Events that come with a wish of whoever uses them to have calls observed. */
#define MMN_EVENT(template, name, proto, args)				\
	DEFINE_EVENT_FN(template, name, PARAMS(proto), PARAMS(args),	\
			mmn_observe_begin, mmn_observe_end)

DECLARE_EVENT_CLASS(mmn_subscription,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback),
	TP_ARGS(mm, subscription, callback),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, subscription)
		__field(const void *, callback)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->subscription = subscription;
		__entry->callback = callback;
	),
	TP_printk("mm=%p subscription=%p callback=%ps",
		  __entry->mm, __entry->subscription, __entry->callback)
);

MMN_EVENT(mmn_subscription, mmn_register,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback),
	TP_ARGS(mm, subscription, callback));

MMN_EVENT(mmn_subscription, mmn_unregister,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback),
	TP_ARGS(mm, subscription, callback));

MMN_EVENT(mmn_subscription, mmn_put,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback),
	TP_ARGS(mm, subscription, callback));

MMN_EVENT(mmn_subscription, mmn_free,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback),
	TP_ARGS(mm, subscription, callback));

DECLARE_EVENT_CLASS(mmn_interval,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end),
	TP_ARGS(mm, subscription, callback, start, end),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, subscription)
		__field(const void *, callback)
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->subscription = subscription;
		__entry->callback = callback;
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mm=%p subscription=%p callback=%ps start=0x%lx end=0x%lx",
		  __entry->mm, __entry->subscription, __entry->callback,
		  __entry->start, __entry->end)
);

MMN_EVENT(mmn_interval, mmn_insert,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end),
	TP_ARGS(mm, subscription, callback, start, end));

MMN_EVENT(mmn_interval, mmn_remove,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end),
	TP_ARGS(mm, subscription, callback, start, end));

DECLARE_EVENT_CLASS(mmn_range,
	TP_PROTO(const struct mmu_notifier_range *range, const void *subscription,
		 const void *callback, int ret, u64 duration),
	TP_ARGS(range, subscription, callback, ret, duration),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, subscription)
		__field(const void *, callback)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(u64, duration)
		__field(int, event)
		__field(int, ret)
		__field(bool, blockable)
	),
	TP_fast_assign(
		__entry->mm = range->mm;
		__entry->subscription = subscription;
		__entry->callback = callback;
		__entry->start = range->start;
		__entry->end = range->end;
		__entry->duration = duration;
		__entry->event = range->event;
		__entry->ret = ret;
		__entry->blockable = mmu_notifier_range_blockable(range);
	),
	TP_printk("mm=%p subscription=%p callback=%ps start=0x%lx end=0x%lx event=%s blockable=%d ret=%d duration=%llu",
		  __entry->mm, __entry->subscription, __entry->callback,
		  __entry->start, __entry->end, MMN_SHOW_EVENT(__entry->event),
		  __entry->blockable, __entry->ret, __entry->duration)
);

MMN_EVENT(mmn_range, mmn_range_start,
	TP_PROTO(const struct mmu_notifier_range *range, const void *subscription,
		 const void *callback, int ret, u64 duration),
	TP_ARGS(range, subscription, callback, ret, duration));

MMN_EVENT(mmn_range, mmn_range_end,
	TP_PROTO(const struct mmu_notifier_range *range, const void *subscription,
		 const void *callback, int ret, u64 duration),
	TP_ARGS(range, subscription, callback, ret, duration));

MMN_EVENT(mmn_range, mmn_invalidate,
	TP_PROTO(const struct mmu_notifier_range *range, const void *subscription,
		 const void *callback, int ret, u64 duration),
	TP_ARGS(range, subscription, callback, ret, duration));

MMN_EVENT(mmn_range, mmn_invalidate_finish,
	TP_PROTO(const struct mmu_notifier_range *range, const void *subscription,
		 const void *callback, int ret, u64 duration),
	TP_ARGS(range, subscription, callback, ret, duration));

DECLARE_EVENT_CLASS(mmn_pages,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end,
		 int ret, u64 duration),
	TP_ARGS(mm, subscription, callback, start, end, ret, duration),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, subscription)
		__field(const void *, callback)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(u64, duration)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->subscription = subscription;
		__entry->callback = callback;
		__entry->start = start;
		__entry->end = end;
		__entry->duration = duration;
		__entry->ret = ret;
	),
	TP_printk("mm=%p subscription=%p callback=%ps start=0x%lx end=0x%lx ret=%d duration=%llu",
		  __entry->mm, __entry->subscription, __entry->callback,
		  __entry->start, __entry->end, __entry->ret, __entry->duration)
);

MMN_EVENT(mmn_pages, mmn_secondary_tlbs,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end,
		 int ret, u64 duration),
	TP_ARGS(mm, subscription, callback, start, end, ret, duration));

MMN_EVENT(mmn_pages, mmn_clear_flush_young,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end,
		 int ret, u64 duration),
	TP_ARGS(mm, subscription, callback, start, end, ret, duration));

MMN_EVENT(mmn_pages, mmn_clear_young,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end,
		 int ret, u64 duration),
	TP_ARGS(mm, subscription, callback, start, end, ret, duration));

MMN_EVENT(mmn_pages, mmn_test_young,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, unsigned long start, unsigned long end,
		 int ret, u64 duration),
	TP_ARGS(mm, subscription, callback, start, end, ret, duration));

TRACE_EVENT_FN(mmn_release,
	TP_PROTO(const struct mm_struct *mm, const void *subscription,
		 const void *callback, u64 duration),
	TP_ARGS(mm, subscription, callback, duration),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, subscription)
		__field(const void *, callback)
		__field(u64, duration)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->subscription = subscription;
		__entry->callback = callback;
		__entry->duration = duration;
	),
	TP_printk("mm=%p subscription=%p callback=%ps duration=%llu",
		  __entry->mm, __entry->subscription, __entry->callback,
		  __entry->duration),
	mmn_observe_begin, mmn_observe_end
);

TRACE_EVENT_FN(mmn_wait_begin,
	TP_PROTO(const struct mm_struct *mm, bool intervals),
	TP_ARGS(mm, intervals),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(bool, intervals)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->intervals = intervals;
	),
	TP_printk("mm=%p for=%s", __entry->mm,
		  __entry->intervals ? "intervals" : "list"),
	mmn_observe_begin, mmn_observe_end
);

TRACE_EVENT_FN(mmn_wait_end,
	TP_PROTO(const struct mm_struct *mm, bool intervals, u64 duration),
	TP_ARGS(mm, intervals, duration),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(u64, duration)
		__field(bool, intervals)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->duration = duration;
		__entry->intervals = intervals;
	),
	TP_printk("mm=%p for=%s duration=%llu", __entry->mm,
		  __entry->intervals ? "intervals" : "list", __entry->duration),
	mmn_observe_begin, mmn_observe_end
);

TRACE_EVENT_FN(mmn_blocked,
	TP_PROTO(const struct mm_struct *mm, bool intervals,
		 const struct task_struct *reader, const void *callback),
	TP_ARGS(mm, intervals, reader, callback),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(const void *, callback)
		__field(pid_t, reader)
		__array(char, comm, TASK_COMM_LEN)
		__field(bool, intervals)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->callback = callback;
		__entry->reader = reader->pid;
		memcpy(__entry->comm, reader->comm, TASK_COMM_LEN);
		__entry->intervals = intervals;
	),
	TP_printk("mm=%p for=%s reader=%d comm=%s callback=%ps", __entry->mm,
		  __entry->intervals ? "intervals" : "list", __entry->reader,
		  __entry->comm, __entry->callback),
	mmn_observe_begin, mmn_observe_end
);

TRACE_EVENT_FN(mmn_mm_lock,
	TP_PROTO(const struct mm_struct *mm, unsigned long vmas,
		 unsigned long locks, bool native, int ret, u64 duration),
	TP_ARGS(mm, vmas, locks, native, ret, duration),
	TP_STRUCT__entry(
		__field(const void *, mm)
		__field(unsigned long, vmas)
		__field(unsigned long, locks)
		__field(u64, duration)
		__field(int, ret)
		__field(bool, native)
	),
	TP_fast_assign(
		__entry->mm = mm;
		__entry->vmas = vmas;
		__entry->locks = locks;
		__entry->duration = duration;
		__entry->ret = ret;
		__entry->native = native;
	),
	TP_printk("mm=%p vmas=%lu locks=%lu native=%d ret=%d duration=%llu",
		  __entry->mm, __entry->vmas, __entry->locks, __entry->native,
		  __entry->ret, __entry->duration),
	mmn_observe_begin, mmn_observe_end
);

TRACE_EVENT(mmn_mode,
	TP_PROTO(bool native),
	TP_ARGS(native),
	TP_STRUCT__entry(
		__field(bool, native)
	),
	TP_fast_assign(
		__entry->native = native;
	),
	TP_printk("mode=%s", __entry->native ? "native" : "compatible")
);

#endif /* MMN_TRACEPOINTS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints
#include <trace/define_trace.h>
