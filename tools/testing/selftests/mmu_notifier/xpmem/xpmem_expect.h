/* SPDX-License-Identifier: GPL-2.0 */
/* What a test expects of memory that is attached. */
#ifndef XPMEM_EXPECT_H
#define XPMEM_EXPECT_H

#include "../harness.h"
#include "xpmem_user.h"

#define EXPECT_SEES(at, word) do {				\
	uint64_t seen = 0;					\
	EXPECT_EQ(0, load(at, &seen));				\
	EXPECT_EQ((uint64_t)(word), seen);			\
} while (0)

#define EXPECT_SIGNAL(signal, at) do {				\
	uint64_t word;						\
	EXPECT_EQ(signal, load(at, &word));			\
	EXPECT_EQ(signal, store(at, 0));			\
} while (0)

#endif
