// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "helper.h"

static void *run(void *arg)
{
	struct helper *helper = arg;

	helper->job.tid = gettid();
	sem_post(&helper->over);
	for (;;) {
		sem_wait(&helper->go);
		if (!helper->job.fn)
			return NULL;
		helper->job.ret = helper->job.fn(helper->job.arg);
		helper->job.error = errno;
		helper->job.done = true;
		sem_post(&helper->over);
	}
}

void helper_start(struct helper *helper)
{
	sem_init(&helper->go, 0, 0);
	sem_init(&helper->over, 0, 0);
	if (pthread_create(&helper->job.thread, NULL, run, helper))
		_exit(1);
	sem_wait(&helper->over);
}

void helper_do(struct helper *helper, long (*fn)(void *arg), void *arg)
{
	helper->job.fn = fn;
	helper->job.arg = arg;
	helper->job.done = false;
	helper->busy = true;
	sem_post(&helper->go);
}

bool helper_blocks(struct helper *helper, const char *where)
{
	return job_blocks(&helper->job, where);
}

long helper_result(struct helper *helper)
{
	sem_wait(&helper->over);
	helper->busy = false;
	return helper->job.ret < 0 ? -helper->job.error : helper->job.ret;
}

void helper_end(struct helper *helper)
{
	helper->job.fn = NULL;
	sem_post(&helper->go);
	pthread_join(helper->job.thread, NULL);
	helper->job.tid = 0;
}
