// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>
#include <linux/spinlock.h>

#include "account.h"

#define BUCKETS 256

static struct mmn_bucket buckets[BUCKETS] = {
	[0 ... BUCKETS - 1] = { .lock = __SPIN_LOCK_UNLOCKED(buckets.lock) },
};

unsigned int mmn_buckets(void)
{
	return BUCKETS;
}

struct mmn_bucket *mmn_bucket(unsigned int n)
{
	return &buckets[n % BUCKETS];
}

bool mmn_frees_memory(void)
{
	return current->flags & PF_MEMALLOC;
}
