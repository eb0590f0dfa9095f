// SPDX-License-Identifier: GPL-2.0
/* What SRCU costs, plain and fast: the protections that a core can choose between. */
#include <linux/slab.h>
#include <linux/srcu.h>

#include "bench.h"

static struct srcu_struct domains[2];

int flavours_init(void)
{
	int err = init_srcu_struct(&domains[BENCH_SRCU_PLAIN]);

	if (err)
		return err;
	err = init_srcu_struct_fast(&domains[BENCH_SRCU_FAST]);
	if (err)
		cleanup_srcu_struct(&domains[BENCH_SRCU_PLAIN]);
	return err;
}

void flavours_exit(void)
{
	cleanup_srcu_struct(&domains[BENCH_SRCU_FAST]);
	cleanup_srcu_struct(&domains[BENCH_SRCU_PLAIN]);
}

static void read_once(enum bench_flavour flavour)
{
	if (flavour == BENCH_SRCU_FAST) {
		struct srcu_ctr __percpu *counter = srcu_read_lock_fast(&domains[flavour]);

		barrier();
		srcu_read_unlock_fast(&domains[flavour], counter);
	} else {
		int index = srcu_read_lock(&domains[flavour]);

		barrier();
		srcu_read_unlock(&domains[flavour], index);
	}
}

static int live_once(enum bench_flavour flavour)
{
	struct srcu_struct *domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	int err;

	if (!domain)
		return -ENOMEM;
	err = flavour == BENCH_SRCU_FAST ? init_srcu_struct_fast(domain)
					 : init_srcu_struct(domain);
	if (!err)
		cleanup_srcu_struct(domain);
	kfree(domain);
	return err;
}

int flavours_run(struct bench_srcu *work)
{
	u32 left = work->count;
	u64 begin;
	int err = 0;

	if (work->flavour > BENCH_SRCU_FAST)
		return -EINVAL;
	begin = ktime_get_ns();
	while (left-- && !err) {
		switch (work->work) {
		case BENCH_SRCU_NOTHING:
			barrier();
			break;
		case BENCH_SRCU_READ:
			read_once(work->flavour);
			break;
		case BENCH_SRCU_SYNCHRONIZE:
			synchronize_srcu(&domains[work->flavour]);
			break;
		case BENCH_SRCU_SYNCHRONIZE_EXPEDITED:
			synchronize_srcu_expedited(&domains[work->flavour]);
			break;
		case BENCH_SRCU_LIFE:
			err = live_once(work->flavour);
			break;
		default:
			return -EINVAL;
		}
	}
	work->ns = ktime_get_ns() - begin;
	return err;
}

void flavours_sizes(struct bench_sizes *sizes)
{
	sizes->srcu_struct = sizeof(struct srcu_struct);
	sizes->srcu_usage = sizeof(struct srcu_usage);
	sizes->srcu_data = sizeof(struct srcu_data);
	sizes->cpus = num_possible_cpus();
}
