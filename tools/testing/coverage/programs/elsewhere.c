// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>

#include "elsewhere.h"

static void *run(void *arg)
{
	struct elsewhere *elsewhere = arg;

	atomic_store(&elsewhere->running, true);
	while (!atomic_load(&elsewhere->stop))
		;
	return NULL;
}

int elsewhere_start(struct elsewhere *elsewhere)
{
	cpu_set_t here, there;
	pthread_attr_t attributes;

	CPU_ZERO(&here);
	CPU_SET(0, &here);
	CPU_ZERO(&there);
	CPU_SET(1, &there);
	if (sched_getaffinity(0, sizeof(elsewhere->allowed), &elsewhere->allowed))
		return -1;
	atomic_init(&elsewhere->running, false);
	atomic_init(&elsewhere->stop, false);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(there), &there);
	errno = pthread_create(&elsewhere->thread, &attributes, run, elsewhere);
	pthread_attr_destroy(&attributes);
	if (errno)
		return -1;
	while (!atomic_load(&elsewhere->running))
		sched_yield();
	return sched_setaffinity(0, sizeof(here), &here);
}

void elsewhere_stop(struct elsewhere *elsewhere)
{
	atomic_store(&elsewhere->stop, true);
	pthread_join(elsewhere->thread, NULL);
	sched_setaffinity(0, sizeof(elsewhere->allowed), &elsewhere->allowed);
}
