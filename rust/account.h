/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of account.rs, whose locks are initialised statically.
 */
#ifndef MMN_ACCOUNT_H
#define MMN_ACCOUNT_H

#include <linux/spinlock_types.h>
#include <linux/types.h>

struct mmn_sums {
	u64 calls;
	u64 time;
	u64 worst;
};

struct mmn_bucket {
	/* Over all records of the bucket. */
	spinlock_t lock;
	void *first;
	unsigned int records;
	struct mmn_sums others;
};

unsigned int mmn_buckets(void);
/* Of any @n, taken modulo their number. */
struct mmn_bucket *mmn_bucket(unsigned int n);

/*
 * Whether the current task may take from the reserves, to free memory: none of
 * them is for records.
 */
bool mmn_frees_memory(void);

#endif /* MMN_ACCOUNT_H */
