/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's test harness and two assertions for system calls. */
#ifndef MNT_HARNESS_H
#define MNT_HARNESS_H

#include <errno.h>
#include <signal.h>
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

#endif
