// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "cpu.h"
#include "operations.h"

/* The two sides take turns; a side that is gone ends the other's wait. */
struct channel {
	int to_child[2];
	int to_parent[2];
};

static bool channel_open(struct channel *channel)
{
	return !pipe(channel->to_child) && !pipe(channel->to_parent);
}

static void channel_close(struct channel *channel)
{
	close(channel->to_child[0]);
	close(channel->to_child[1]);
	close(channel->to_parent[0]);
	close(channel->to_parent[1]);
}

static bool say(int fd)
{
	return write(fd, "", 1) == 1;
}

static bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

/* The child's own view: what it had at the fork, or has written since. */
static void check_own(struct thread *thread, struct region *region, const struct step *step)
{
	for (unsigned int i = 0; i < SAMPLE; i++)
		compare_held(thread, region, step->sample[i], ~0U);
}

static void write_own(struct thread *thread, struct region *region, const struct step *step)
{
	for (unsigned int i = 0; i < SAMPLE; i++) {
		unsigned int page = step->sample[i];
		unsigned int which = (step->writer + i) % SECONDARIES;
		uint64_t value;

		/* Out of huge pages, the parent may have taken the child's away. */
		if (region->page[page].access != WRITABLE ||
		    !cpu_read(region_address(region, page), &value))
			continue;
		if (i % 2 && secondary_is_open(&thread->secondary[which]))
			compare_write(thread, region, page, which);
		else
			compare_store(thread, region, page);
	}
}

/* The child's own secondaries: those it has inherited are on the parent's address space. */
static void open_own(struct thread *thread, unsigned int which)
{
	for (unsigned int number = 0; number < SECONDARIES; number++) {
		thread->secondary[number].fd = -1;
		if (which & 1U << number && number != XPMEM_AT)
			secondary_open(&thread->secondary[number], number, thread->arena,
				       region_arena_size());
	}
}

static void child(struct thread *thread, struct region *region, const struct step *step,
		  struct channel *channel)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(channel->to_child[1]);
	close(channel->to_parent[0]);
	thread->place.operation = "fork, in the child";
	/* Its values are none of the parent's, and nobody serves its userfaultfd. */
	thread->written |= VALUES_OF_CHILD;
	region->userfault = -1;
	for (unsigned int page = 0; page < region->pages; page++)
		region->guarded[page] = false;
	check_own(thread, region, step);
	/* Opening a device registers, which takes its time: not always. */
	open_own(thread, step->argument & 1 ? step->argument >> 8 : 0);
	compare_prime(thread, region, step);
	if (!say(channel->to_parent[1]) || !hear(channel->to_child[0]))
		_exit(1);
	/* The parent has written. */
	check_own(thread, region, step);
	write_own(thread, region, step);
	check_own(thread, region, step);
	_exit(!say(channel->to_parent[1]));
}

/*
 * Parent and child write to pages that they share until then, each in its own ways, and neither may
 * see the other's. The caller compares the parent's side once more at the end.
 */
int op_fork(struct thread *thread, struct region *region, const struct step *step)
{
	struct channel channel;
	int status;
	pid_t pid;

	/* The child can know of each page what it must be. */
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++)
		compare_held(thread, region, step->sample[i], ~0U);
	if (!channel_open(&channel))
		return -errno;
	pid = fork();
	if (pid == 0)
		child(thread, region, step, &channel);
	if (pid < 0) {
		channel_close(&channel);
		return -EAGAIN;
	}
	close(channel.to_child[0]);
	close(channel.to_parent[1]);
	channel.to_child[0] = channel.to_parent[1] = -1;
	if (hear(channel.to_parent[0])) {
		check_own(thread, region, step);
		write_own(thread, region, step);
		if (say(channel.to_child[1]))
			hear(channel.to_parent[0]);
	}
	if (waitpid(pid, &status, 0) != pid || (status && !shared->over))
		report_broken(&thread->place, "a child did not come to its end", status);
	channel_close(&channel);
	return 0;
}
