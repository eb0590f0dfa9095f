// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Linked into a test program: gives it, and each child that it forks, subscribers when the
 * environment has MMU_NOTIFIER_ATTACH. Its output is as on a terminal, or children would print
 * again what their parent has not printed yet.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE	"/dev/mmu_notifier_attach"
/* Out of the way of programs that expect the next file descriptor to be a certain one. */
#define OUT_OF_THE_WAY	512

static int attached = -1;

/* Without subscribers a test would pass for nothing. */
static void die(void)
{
	dprintf(STDERR_FILENO, "not ok: " DEVICE ": %s\n", strerror(errno));
	_exit(99);
}

static void attach(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die();
	attached = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	if (attached < 0)
		die();
	close(fd);
}

/* What it has inherited is its parent's. */
static void attach_child(void)
{
	int saved = errno;

	close(attached);
	attach();
	errno = saved;
}

static __attribute__((constructor)) void begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!getenv("MMU_NOTIFIER_ATTACH"))
		return;
	attach();
	errno = pthread_atfork(NULL, NULL, attach_child);
	if (errno)
		die();
}
