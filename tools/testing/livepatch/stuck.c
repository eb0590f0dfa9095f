// SPDX-License-Identifier: GPL-2.0
/*
 * A process that can be stuck in the MMU-notifier core: its subscription has a
 * gate in invalidate_range_start. Standard input says what to do, one word a
 * line, and each is answered when it has been done:
 *	stick	unmap a page; done once the callback waits at the shut gate
 *	leave	unregister meanwhile; done once that waits for the callback
 *	open	open the gate; done once the page is unmapped, and all is as before
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "mnt.h"

static long run_unregister(void *fd)
{
	return mnt_unregister(*(int *)fd, 0);
}

int main(void)
{
	struct advice advice = { .length = PAGE, .advice = MADV_DONTNEED };
	struct mnt_behave gate = { .gates = MNT_BIT(MNT_RANGE_START) };
	struct job job, leaver;
	bool sticking = false, leaving = false;
	char word[16];
	__u64 times = 0;
	int fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	fd = mnt_open();
	advice.start = area_map(1);
	mnt_behave(fd, 0, advice.start, PAGE, gate);
	if (fd < 0 || mnt_register(fd, 0, MNT_RANGE, 0)) {
		perror("register");
		return 1;
	}

	puts("ready");
	while (scanf("%15s", word) == 1) {
		if (!strcmp(word, "stick")) {
			job_start(&job, run_madvise, &advice);
			mnt_wait_entered(fd, 0, MNT_RANGE_START, ++times);
			sticking = true;
		} else if (!strcmp(word, "leave")) {
			job_start(&leaver, run_unregister, &fd);
			if (!job_blocks(&leaver, "mmu_notifier_unregister")) {
				fputs("unregistered under a callback\n", stderr);
				return 1;
			}
			leaving = true;
		} else if (!strcmp(word, "open") && sticking) {
			ioctl(fd, MNT_OPEN, 0);
			sticking = false;
			if (job_join(&job)) {
				perror("madvise");
				return 1;
			}
			if (leaving && (job_join(&leaver) || mnt_register(fd, 0, MNT_RANGE, 0))) {
				perror("unregister and register");
				return 1;
			}
			leaving = false;
			mnt_behave(fd, 0, advice.start, PAGE, gate);
			*(char *)advice.start = 1;
		}
		printf("%s %llu\n", word, (unsigned long long)times);
	}
	return 0;
}
