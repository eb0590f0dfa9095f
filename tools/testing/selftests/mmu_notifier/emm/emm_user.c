// SPDX-License-Identifier: GPL-2.0
/* The commands of /dev/emm as functions, and its record as text. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "emm_user.h"
#include "mnt.h"

static int command(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

int emm_open(void)
{
	return open("/dev/emm", O_RDWR | O_CLOEXEC);
}

int emm_watch(int fd, const void *start, size_t length)
{
	struct emm_watch watch = { (uintptr_t)start, (uintptr_t)start + length };

	return command(fd, EMM_WATCH, &watch);
}

int emm_read(int fd, struct emm_record *records, unsigned int room,
	     unsigned int *count, unsigned int *lost)
{
	struct emm_read arg = { (uintptr_t)records, room, 0 };
	int error = command(fd, EMM_READ, &arg);

	*count = arg.count;
	*lost = arg.lost;
	return error;
}

int emm_answer(int fd, unsigned long answer)
{
	return command(fd, EMM_ANSWER, (void *)answer);
}

struct emm_counts emm_counts(int fd)
{
	struct emm_counts counts;

	if (command(fd, EMM_COUNTS, &counts)) {
		perror("EMM_COUNTS");
		abort();
	}
	return counts;
}

const char *emm_trace(int fd, const void *base)
{
	static const char *const names[] = { "release", "start", "end", "referenced" };
	static struct emm_record records[EMM_RECORDS];
	static char text[EMM_RECORDS * 64];
	unsigned int count, lost;
	size_t used = 0;

	if (emm_read(fd, records, EMM_RECORDS, &count, &lost) || lost)
		return "?";
	text[0] = '\0';
	for (unsigned int i = 0; i < count; i++) {
		const struct emm_record *it = &records[i];

		used += sprintf(text + used, "%s%s", used ? " " : "",
				names[it->operation]);
		if (it->operation != EMM_RELEASE)
			used += sprintf(text + used, "[%lld,%lld)%s",
					(long long)(it->start - (uintptr_t)base) /
						(long long)PAGE,
					(long long)(it->end - (uintptr_t)base) /
						(long long)PAGE,
					it->flags & EMM_BLOCKABLE ? "" : "~");
	}
	return text;
}
