// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "chores.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "shared.h"

/* The suite has put the torture into this control group. */
#define GROUP "/sys/fs/cgroup/torture"
/* Between two chores, in nanoseconds: they take the processors from those that compare. */
#define PAUSE 200000000

static pid_t watched[16];
static unsigned int watched_count;

static int ask(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int result = fd < 0 || write(fd, what, strlen(what)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return result;
}

static int compact(uint64_t random)
{
	(void)random;
	return ask("/proc/sys/vm/compact_memory", "1");
}

static int drop_caches(uint64_t random)
{
	return ask("/proc/sys/vm/drop_caches", random & 1 ? "1" : "3");
}

/* EAGAIN: less was to be had than asked for. */
static int reclaim(uint64_t random)
{
	int result;

	pthread_rwlock_wrlock(&shared->reclaim);
	result = ask(GROUP "/memory.reclaim", random & 1 ? "2M" : "256K");
	pthread_rwlock_unlock(&shared->reclaim);
	return result == -EAGAIN ? 0 : result;
}

static int write_back(uint64_t random)
{
	(void)random;
	sync();
	return 0;
}

/* All that a process has on one node goes to the other. */
static int migrate(uint64_t random)
{
	unsigned long from = 1UL << (random & 1), to = 3 & ~from;

	if (!watched_count)
		return -ESRCH;
	return syscall(SYS_migrate_pages, watched[(random >> 8) % watched_count], 3, &from, &to) < 0
		       ? -errno : 0;
}

const struct chore chores[] = {
	{ "compact", compact },
	{ "drop_caches", drop_caches },
	{ "reclaim", reclaim },
	{ "write_back", write_back },
	{ "migrate", migrate },
};

const unsigned int chore_count = sizeof(chores) / sizeof(*chores);

_Static_assert(sizeof(chores) / sizeof(*chores) <= CHORES_MAX, "count them all");

void chores_watch(const pid_t *workers, unsigned int count)
{
	watched_count = count < 16 ? count : 16;
	memcpy(watched, workers, watched_count * sizeof(*watched));
}

void chores_run(uint64_t seed)
{
	const struct timespec pause = { .tv_nsec = PAUSE };

	for (uint64_t number = 0; !shared->over; number++) {
		uint64_t random = plan_random(seed, ~0ULL, number);
		unsigned int which = random % chore_count;

		if (chores[which].run(random >> 32))
			shared->chore[which].refused++;
		else
			shared->chore[which].done++;
		nanosleep(&pause, NULL);
	}
}
