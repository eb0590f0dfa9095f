// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "lines.h"
#include "mmu_notifier_test_uapi.h"

static void print(const struct mnt_event *event)
{
	printf("! %u %u %u %u %u %u %d %u %d %llu %llx %llx\n", event->slot,
	       event->hook, event->phase, event->event, event->blockable,
	       event->owned, event->ret, event->object, event->tid, event->seq,
	       event->start, event->end);
}

void lines_print(int session)
{
	static struct mnt_event events[MNT_EVENTS_MAX];
	struct mnt_drain drain = { .events = (uintptr_t)events };

	do {
		if (ioctl(session, MNT_DRAIN, &drain)) {
			perror("MNT_DRAIN");
			exit(1);
		}
		for (unsigned int i = 0; i < drain.count; i++)
			print(&events[i]);
		if (drain.lost)
			printf("lost %u\n", drain.lost);
	} while (drain.count == MNT_EVENTS_MAX);
}
