/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's test harness and two assertions for system calls. */
#ifndef MNT_HARNESS_H
#define MNT_HARNESS_H

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "mnt.h"

#define ASSERT_DONE(call) \
	ASSERT_EQ(0, call) TH_LOG("%s", strerror(errno))

#define ASSERT_FAILS(error, call) do {			\
	ASSERT_EQ(-1, call);				\
	ASSERT_EQ(error, errno);			\
} while (0)

/* On a kernel that watches itself all takes MNT_PATIENCE times as long. */
static inline void harness_be_patient(void)
{
	const char *patience = getenv("MNT_PATIENCE");

	if (!patience)
		return;
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		for (struct __test_metadata *t = f->tests; t; t = t->next)
			t->timeout *= atoi(patience);
}

#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN \
	int main(int argc, char **argv) { \
		harness_be_patient(); \
		return test_harness_run(argc, argv); \
	}

#endif
