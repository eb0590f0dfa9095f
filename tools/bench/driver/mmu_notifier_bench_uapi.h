/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the programs of the bench ask of its driver; every time is in nanoseconds. */
#ifndef MMU_NOTIFIER_BENCH_UAPI_H
#define MMU_NOTIFIER_BENCH_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum bench_hook {
	BENCH_START_END,
	BENCH_CLEAR_FLUSH_YOUNG,
	BENCH_TEST_YOUNG,
};

/* By what way a hook is called; the loop around the calls is one and the same. */
enum bench_path {
	BENCH_EMPTY,		/* functions that return at once */
	BENCH_INLINE,		/* the inline test of the kernel's header first */
	BENCH_LIVE,		/* the kernel's function, which livepatch may redirect */
	BENCH_DIRECT,		/* the function of the core in charge */
	BENCH_FLOOR_LIST,	/* a list walk and an indirect call, no protection */
	BENCH_FLOOR_TREE,	/* the same with a walk of an interval tree */
	BENCH_PATHS,
};

struct bench_calls {
	__u32 hook;
	__u32 path;
	__u64 start;
	__u64 end;
	__u32 calls;
	__u32 unused;
	__u64 ns;
};

struct bench_subscriptions {
	__u32 count;
	__u32 unused;
	__u64 ns;
};

/*
 * Interval subscription number i is to [base + i * stride, base + i * stride + length); the time is
 * that of the last one.
 */
struct bench_intervals {
	__u64 base;
	__u64 stride;
	__u64 length;
	__u32 count;
	__u32 unused;
	__u64 ns;
};

struct bench_put {
	__u64 ns_returned;
	__u64 ns_freed;
};

enum bench_flavour {
	BENCH_SRCU_PLAIN,
	BENCH_SRCU_FAST,
};

enum bench_srcu_work {
	BENCH_SRCU_READ,
	BENCH_SRCU_NOTHING,
	BENCH_SRCU_SYNCHRONIZE,
	BENCH_SRCU_SYNCHRONIZE_EXPEDITED,
	BENCH_SRCU_LIFE,
};

struct bench_srcu {
	__u32 flavour;
	__u32 work;
	__u32 count;
	__u32 unused;
	__u64 ns;
};

struct bench_sizes {
	__u32 srcu_struct;
	__u32 srcu_usage;
	__u32 srcu_data;
	__u32 cpus;
};

#define BENCH_CALLS		_IOWR('b', 1, struct bench_calls)
#define BENCH_SUBSCRIBE		_IOWR('b', 2, struct bench_subscriptions)
#define BENCH_UNREGISTER	_IOWR('b', 3, struct bench_subscriptions)
#define BENCH_INTERVALS		_IOWR('b', 4, struct bench_intervals)
#define BENCH_PUT		_IOR('b', 5, struct bench_put)
/* From now on each invalidation of the caller's memory takes this many milliseconds. */
#define BENCH_STICK		_IO('b', 6)
/* Waits until somebody's invalidation is stuck. */
#define BENCH_WAIT_STUCK	_IO('b', 7)
#define BENCH_SRCU		_IOWR('b', 8, struct bench_srcu)
#define BENCH_SIZES		_IOR('b', 9, struct bench_sizes)

#endif
