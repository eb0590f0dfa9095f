// SPDX-License-Identifier: GPL-2.0
/*
 * Processes with subscriptions that take more memory than their control group has, until the
 * kernel kills them; and ones that another process kills and whose memory it takes away. In some
 * a thread sleeps on, deaf to signals: then the memory is taken before the exit, by starts that
 * may not sleep, and some of these are refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change.h"
#include "mnt.h"
#include "stress.h"

#define MEMORY "12M"
#define SWAP "2M"
#define TOO_MUCH (32UL << 20)
#define LITTLE 64
#define INTERVAL 1U
#define REFUSALS (MNT_BIT(MNT_INVALIDATE) | MNT_BIT(MNT_INVALIDATE_START))
/* How long the reaper is given: it waits two seconds before it begins, and then tries for one. */
#define REAPER_MS 5000
#define STEP_MS 20

enum { OOM_KILLS, REAPED, RELEASES, REFUSED, ABSENT };

struct victim {
	int fd;
	bool greedy, held, refuses, two_passes;
	int ready[2];
};

static char group[64];

static void in_group(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	if (write_file(path, value))
		wrong("%s cannot be set", path);
}

static void begin(unsigned int worker)
{
	snprintf(group, sizeof(group), "/sys/fs/cgroup/victims.%u", worker);
	if (mkdir(group, 0755) && errno != EEXIST)
		wrong("no control group");
	in_group("memory.max", MEMORY);
	in_group("memory.swap.max", SWAP);
}

/* It can be removed when the last of its processes is gone. */
static void end(unsigned int worker)
{
	(void)worker;
	if (rmdir(group))
		wrong("the control group cannot be removed");
}

static unsigned long oom_kills(void)
{
	char path[128], line[64];
	unsigned long kills = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/memory.events", group);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "oom_kill %lu", &kills);
	if (file)
		fclose(file);
	return kills;
}

static long sleep_on(void *argument)
{
	return ioctl(*(int *)argument, MNT_HOLD, 0);
}

static void live(void *argument)
{
	struct victim *it = argument;
	size_t size = it->greedy ? TOO_MUCH : LITTLE * PAGE;
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job sleeper;

	if (area == MAP_FAILED)
		return wrong("no memory");
	if (it->held) {
		job_start(&sleeper, sleep_on, &it->fd);
		job_blocks(&sleeper, "mnt_");
	}
	in_group("cgroup.procs", "0");
	/* C forgets an interval's start when the list then refuses: the list never does here. */
	if (again(mnt_register(it->fd, 0, MNT_RANGE | MNT_BIT(MNT_RELEASE), 0)) ||
	    again(mnt_insert(it->fd, INTERVAL, area, size, it->two_passes ? MNT_TWO_PASS : 0)))
		return wrong("no subscription");
	mnt_behave(it->fd, INTERVAL, area, size,
		   (struct mnt_behave){ .eagain = it->refuses ? REFUSALS : 0 });
	if (write(it->ready[1], "", 1) != 1)
		return;
	do
		memset(area, 1, size);
	while (it->greedy);
	pause();
}

/* Waits for the kernel to take the memory of one that cannot exit; whether it did. */
static bool reaped(const struct victim *it, unsigned long kills)
{
	unsigned int waited = 0;
	__u64 seen;

	for (; oom_kills() == kills && !over(); pause_ms(STEP_MS))
		;
	/* From here on nobody but the reaper touches it. */
	seen = mnt_seen(it->fd, INTERVAL, MNT_INVALIDATE) +
	       mnt_seen(it->fd, INTERVAL, MNT_INVALIDATE_START);
	for (; waited < REAPER_MS && !over(); waited += STEP_MS) {
		if (mnt_seen(it->fd, INTERVAL, MNT_INVALIDATE) +
		    mnt_seen(it->fd, INTERVAL, MNT_INVALIDATE_START) > seen)
			return true;
		pause_ms(STEP_MS);
	}
	return false;
}

static void be_killed_by_kernel(const struct victim *it, pid_t child, unsigned long kills)
{
	if (it->held && reaped(it, kills))
		count(REAPED);
	else if (over())
		kill(child, SIGKILL);
}

static void be_killed_by_other(const struct victim *it, pid_t child)
{
	int pidfd = syscall(SYS_pidfd_open, child, 0);

	kill(child, SIGKILL);
	if (!syscall(SYS_process_mrelease, pidfd, 0))
		count(RELEASES);
	else if (errno == EAGAIN && it->refuses)
		count(REFUSED);
	else if (errno != ESRCH && errno != EAGAIN && errno != EINVAL)
		wrong("process_mrelease");
	close(pidfd);
}

static void turn(unsigned int worker, struct random random)
{
	struct victim it = {
		.fd = mnt_open(),
		.greedy = one_in(&random, 2),
		.held = one_in(&random, 2),
		.refuses = one_in(&random, 3),
		.two_passes = one_in(&random, 2),
	};
	unsigned long kills = oom_kills();
	pid_t child;
	char byte;
	int status;

	(void)worker;
	if (it.fd < 0) {
		if (!is_absent(errno))
			wrong("no test driver");
		count(ABSENT);
		return pause_ms(1);
	}
	if (pipe(it.ready))
		return wrong("no pipe");
	child = child_start(live, &it);
	close(it.ready[1]);
	/* None comes if it was killed as soon as it was in the group. */
	(void)!read(it.ready[0], &byte, 1);
	if (it.greedy)
		be_killed_by_kernel(&it, child, kills);
	else
		be_killed_by_other(&it, child);
	ioctl(it.fd, MNT_LET_GO, 0);
	status = child_wait(child);
	if (status != -SIGKILL)
		wrong("a victim ended with %d", status);
	else if (it.greedy && oom_kills() > kills)
		count(OOM_KILLS);
	close(it.ready[0]);
	close(it.fd);
}

const struct job_class victims = {
	.name = "victims",
	.workers = 2,
	.counters = { "oom_kills", "reaped", "releases", "refused", "absent" },
	.begin = begin,
	.turn = turn,
	.end = end,
};
