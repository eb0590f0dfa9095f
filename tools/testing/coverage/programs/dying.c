// SPDX-License-Identifier: GPL-2.0
/*
 * A process whose memory is taken away at its end, while the devices it has
 * opened are in the hands of another.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "area.h"

#define SIZE	(16 * PAGE)

/* The child's devices hold translations of its area, at the same address in both. */
FIXTURE(dying) {
	char *area;
	pid_t child;
	int pidfd;
};

/* What the child tells of its devices. */
struct devices {
	int vm;
	int tlb;
};

/* In the child; what it ends with says what went wrong. */
static int live(char *area, int tell, int wait, char *program)
{
	struct devices devices;
	char c;

	if (mmap(area, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return 1;
	if (secondary_try_map(area, SIZE) || secondary_try_fill(area, SIZE) ||
	    secondary_try_touch(area, SIZE, true))
		return 2;
	devices = (struct devices){ secondary_vm(), secondary_tlb() };
	if (write(tell, &devices, sizeof(devices)) != sizeof(devices))
		return 3;
	if (read(wait, &c, 1) != 1)
		return 4;
	if (program) {
		execl(program, program, NULL);
		return 5;
	}
	return 0;
}

/* Starts the child and takes its devices over; `*go` ends it. */
static bool start(FIXTURE_DATA(dying) *self, int *go, char *program)
{
	struct devices devices;
	int telling[2], ending[2];

	self->area = area_map(SIZE, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!self->area || pipe(telling) || pipe(ending))
		return false;
	self->child = fork();
	if (!self->child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(live(self->area, telling[1], ending[0], program));
	}
	*go = ending[1];
	close(telling[1]);
	if (waitpid(self->child, NULL, 0) != self->child ||
	    ptrace(PTRACE_SETOPTIONS, self->child, 0,
		   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC) ||
	    ptrace(PTRACE_CONT, self->child, 0, 0) ||
	    read(telling[0], &devices, sizeof(devices)) != sizeof(devices))
		return false;
	self->pidfd = syscall(SYS_pidfd_open, self->child, 0);
	secondary_adopt(syscall(SYS_pidfd_getfd, self->pidfd, devices.vm, 0),
			syscall(SYS_pidfd_getfd, self->pidfd, devices.tlb, 0));
	return secondary_vm() >= 0 && secondary_tlb() >= 0;
}

FIXTURE_SETUP(dying)
{
}

FIXTURE_TEARDOWN(dying)
{
}

/* Lets the child go on until the event comes, at which it stops. */
static bool until(pid_t child, int event)
{
	int status;

	return waitpid(child, &status, 0) == child &&
	       status >> 8 == (SIGTRAP | event << 8);
}

/* Neither device holds any page of the process, nor brings one in. */
static int finds_nothing(char *area, int error)
{
	uint64_t word;
	int wrong = 0;

	for (char *page = area; page < area + SIZE; page += PAGE)
		wrong += secondary_vm_read(page, sizeof(word), &word) != error ||
			 secondary_tlb_write(page, 0) != error;
	return wrong;
}

/*
 * Another process takes the pages of a dying one, as the OOM killer would: the
 * one range that may not block.
 * Reaches mm/memory.c:zap_vma_for_reaping
 */
TEST_F(dying, reaped)
{
	int go, status;

	ASSERT_TRUE(start(self, &go, NULL)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(1, write(go, "", 1));
	/* Its memory is still there, and it will not come back to it. */
	ASSERT_TRUE(until(self->child, PTRACE_EVENT_EXIT));
	ASSERT_DONE(syscall(SYS_process_mrelease, self->pidfd, 0));
	secondary_dropped(self->area, SIZE);
	secondary_flushed(self->area, SIZE);
	EXPECT_EQ(0, finds_nothing(self->area, EFAULT));
	ASSERT_DONE(ptrace(PTRACE_CONT, self->child, 0, 0));
	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, finds_nothing(self->area, ESRCH));
}

/* No range is told of: the address space is released before. */
TEST_F(dying, killed)
{
	int go;

	ASSERT_TRUE(start(self, &go, NULL)) TH_LOG("%s", strerror(errno));
	ASSERT_DONE(kill(self->child, SIGKILL));
	while (waitpid(self->child, &go, 0) == self->child && WIFSTOPPED(go))
		ptrace(PTRACE_CONT, self->child, 0, 0);
	EXPECT_EQ(0, finds_nothing(self->area, ESRCH));
}

/* The process lives on, with another address space. */
TEST_F(dying, replaced_by_exec)
{
	int go;

	ASSERT_TRUE(start(self, &go, "/bin/true")) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(1, write(go, "", 1));
	ASSERT_TRUE(until(self->child, PTRACE_EVENT_EXEC));
	EXPECT_EQ(0, finds_nothing(self->area, ESRCH));
	ASSERT_DONE(kill(self->child, SIGKILL));
}

TEST_HARNESS_MAIN
