// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "operations.h"

/* What the child leaves to its parent, in memory that both share. */
struct legacy {
	struct secondary secondary[SECONDARIES];
	/* The child alone maps it for writing, and so it cannot be sealed while the child lives. */
	int life;
};

static void child(struct thread *thread, struct region *region, const struct step *step,
		  struct legacy *legacy)
{
	void *mapped;

	legacy->life = memfd_create("life", MFD_ALLOW_SEALING);
	if (legacy->life < 0 || ftruncate(legacy->life, PAGE))
		_exit(1);
	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, legacy->life, 0);
	if (mapped == MAP_FAILED)
		_exit(1);
	for (unsigned int number = 0; number < SECONDARIES; number++) {
		thread->secondary[number].fd = -1;
		if (number != XPMEM_AT)
			secondary_open(&thread->secondary[number], number, thread->arena,
				       region_arena_size());
		legacy->secondary[number] = thread->secondary[number];
	}
	for (unsigned int i = 0; i < SAMPLE; i++)
		for (unsigned int number = 0; number < SECONDARIES; number++) {
			struct secondary *secondary = &legacy->secondary[number];
			uint64_t value;

			if (secondary_is_open(secondary))
				secondary->class->read(secondary,
						       region_address(region, step->sample[i]),
						       &value, thread->bounce);
		}
	_exit(0);
}

/*
 * The end of the child's memory, which can come after the child's: whoever looks at a process holds
 * it for a while.
 */
static void wait_for_the_end(int life)
{
	while (fcntl(life, F_ADD_SEALS, F_SEAL_WRITE) && errno == EBUSY && !shared->over)
		sched_yield();
}

/* Of a memory that is gone nothing can be read. */
static void check_legacy(struct thread *thread, struct region *region, const struct step *step,
			 struct legacy *legacy)
{
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++)
		for (unsigned int number = 0; number < SECONDARIES; number++) {
			struct secondary *secondary = &legacy->secondary[number];
			char *address = region_address(region, step->sample[i]);
			uint64_t value;

			if (!secondary_is_open(secondary))
				continue;
			shared->comparisons++;
			if ((secondary->class->peek &&
			     !secondary->class->peek(secondary, address, &value, thread->bounce)) ||
			    !secondary->class->read(secondary, address, &value, thread->bounce))
				report_stale(&thread->place, address, NO_VALUE,
					     secondary->class->name, value,
					     "reads from an address space that is gone");
		}
}

/* A child with a memory of its own, but with the parent's descriptors, opens devices and exits. */
int op_exit(struct thread *thread, struct region *region, const struct step *step)
{
	struct legacy *legacy = mmap(NULL, sizeof(*legacy), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	if (legacy == MAP_FAILED)
		return -errno;
	legacy->life = -1;
	for (unsigned int number = 0; number < SECONDARIES; number++)
		legacy->secondary[number].fd = -1;
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		child(thread, region, step, legacy);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && legacy->life >= 0) {
		wait_for_the_end(legacy->life);
		check_legacy(thread, region, step, legacy);
	}
	for (unsigned int number = 0; number < SECONDARIES; number++)
		if (secondary_is_open(&legacy->secondary[number]))
			close(legacy->secondary[number].fd);
	if (legacy->life >= 0)
		close(legacy->life);
	munmap(legacy, sizeof(*legacy));
	return pid < 0 ? -EAGAIN : 0;
}
