// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "userfault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* EEXIST and ENOENT: another fault was served first, or the mapping has gone. */
static void fill(struct region *region, uint64_t page)
{
	struct uffdio_zeropage zero = { .range = { .start = page, .len = PAGE } };
	struct uffdio_range range = { .start = page, .len = PAGE };

	if (ioctl(region->userfault, UFFDIO_ZEROPAGE, &zero))
		ioctl(region->userfault, UFFDIO_WAKE, &range);
}

static void unprotect(struct region *region, uint64_t page)
{
	struct uffdio_writeprotect range = { .range = { .start = page, .len = PAGE } };
	unsigned int number = (page - (uintptr_t)region->base) / PAGE;

	if (number < region->pages)
		region->guarded[number] = false;
	if (ioctl(region->userfault, UFFDIO_WRITEPROTECT, &range))
		ioctl(region->userfault, UFFDIO_WAKE, &range.range);
}

static void *serve(void *argument)
{
	struct region *region = argument;
	struct uffd_msg message;

	while (read(region->userfault, &message, sizeof(message)) == sizeof(message)) {
		uint64_t page = message.arg.pagefault.address & ~(PAGE - 1);

		if (message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			unprotect(region, page);
		else
			fill(region, page);
	}
	return NULL;
}

bool userfault_start(struct region *region)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MOVE,
	};
	pthread_t thread;

	region->userfault = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (region->userfault < 0 || ioctl(region->userfault, UFFDIO_API, &api))
		return false;
	errno = pthread_create(&thread, NULL, serve, region);
	return !errno;
}

int userfault_register(struct region *region, unsigned int first, unsigned int count)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)region_address(region, first), .len = count * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	return ioctl(region->userfault, UFFDIO_REGISTER, &range) ? -errno : 0;
}

int userfault_protect(struct region *region, unsigned int first, unsigned int count)
{
	struct uffdio_writeprotect range = {
		.range = { .start = (uintptr_t)region_address(region, first), .len = count * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return ioctl(region->userfault, UFFDIO_WRITEPROTECT, &range) ? -errno : 0;
}
