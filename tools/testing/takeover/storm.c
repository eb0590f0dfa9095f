// SPDX-License-Identifier: GPL-2.0
/*
 * A storm of short lives: processes that subscribe to their own memory, by a VM or by a mirror,
 * change it, and exit, some with the subscription open, some after they closed it.
 *
 * usage: storm WORKERS [/dev/kvm] [/dev/hmm_dmirror0]
 *
 * Prints `progress lives=N` each second until SIGTERM. Exit status: 0 if every life went well, 1 if
 * one saw something wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test_hmm_uapi.h"

#define PAGE 4096UL
#define PAGES 16UL
#define BYTES (PAGES * PAGE)
#define CHANGES 4

struct shared {
	atomic_ulong lives;
	atomic_bool over;
	atomic_bool wrong;
};

static struct shared *shared;

static int wrong(const char *what)
{
	fprintf(stderr, "wrong %s: %s\n", what, strerror(errno));
	return 1;
}

static void *pages_at(void *where)
{
	int fixed = where ? MAP_FIXED : 0;

	return mmap(where, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
}

/* Makes the kernel invalidate the pages in each of the ways a process has by itself. */
static int change(unsigned char *pages, int how)
{
	switch (how % CHANGES) {
	case 0: /* copy on write, from both sides */
	{
		pid_t child = fork();

		if (child < 0)
			return -1;
		if (child == 0) {
			memset(pages, 0xcc, BYTES);
			_exit(0);
		}
		return waitpid(child, NULL, 0) == child ? 0 : -1;
	}
	case 1:
		return mprotect(pages, BYTES, PROT_READ) || mprotect(pages, BYTES, PROT_READ | PROT_WRITE);
	case 2:
		return madvise(pages, BYTES, MADV_DONTNEED);
	default:
		return pages_at(pages) != pages;
	}
}

/* A VM that never runs: its memory's fate is all that KVM is told. */
static int life_with_vm(const char *device, int number)
{
	struct kvm_userspace_memory_region slot = { .memory_size = BYTES };
	unsigned char *pages = pages_at(NULL);
	int kvm = open(device, O_RDWR | O_CLOEXEC);
	int vm = TEMP_FAILURE_RETRY(ioctl(kvm, KVM_CREATE_VM, 0));

	if (pages == MAP_FAILED || kvm < 0 || vm < 0)
		return wrong("no VM");
	slot.userspace_addr = (uintptr_t)pages;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return wrong("no memory slot");
	memset(pages, number, BYTES);
	if (change(pages, number / 2))
		return wrong("no change");
	memset(pages, number, BYTES);
	if (number & 1 && close(vm))
		return wrong("no close");
	return 0;
}

/*
 * The mirror keeps the pages it has read until it is told that they are gone.
 * It is busy if others have changed the range for a second, and on a slow
 * machine they can.
 */
static int read_mirror(int mirror, unsigned char *pages, unsigned char *copy)
{
	struct hmm_dmirror_cmd command = {
		.addr = (uintptr_t)pages, .ptr = (uintptr_t)copy, .npages = PAGES,
	};

	int result;

	do {
		result = ioctl(mirror, HMM_DMIRROR_READ, &command);
	} while (result && errno == EBUSY);
	return result;
}

static int life_with_mirror(const char *device, int number)
{
	unsigned char *pages = pages_at(NULL), *copy = malloc(BYTES);
	/* A signal ends the wait for locks: livepatch sends one to whom it waits for. */
	int mirror = TEMP_FAILURE_RETRY(open(device, O_RDWR | O_CLOEXEC));
	int how;

	if (pages == MAP_FAILED || !copy || mirror < 0)
		return wrong("no mirror");
	for (how = 0; how < CHANGES; how++) {
		memset(pages, number + how, BYTES);
		if (read_mirror(mirror, pages, copy))
			return wrong("no reading");
		if (memcmp(copy, pages, BYTES))
			return wrong("bytes in the mirror");
		if (change(pages, how))
			return wrong("no change");
		memset(pages, ~(number + how), BYTES);
		if (read_mirror(mirror, pages, copy))
			return wrong("no reading after a change");
		if (memcmp(copy, pages, BYTES))
			return wrong("bytes in the mirror after a change");
	}
	if (number & 1 && close(mirror))
		return wrong("no close");
	return 0;
}

static int life(const char *device, int number)
{
	return strstr(device, "kvm") ? life_with_vm(device, number) : life_with_mirror(device, number);
}

/* Starts one life after the other; the devices take turns. */
static void work(char **devices, int count)
{
	int number, status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (number = 0; !shared->over && !shared->wrong; number++) {
		pid_t child = fork();

		if (child == 0)
			_exit(life(devices[number % count], number / count));
		if (child < 0 || waitpid(child, &status, 0) != child || status) {
			fprintf(stderr, "wrong life %d: fork %d, status %#x\n", number, child, status);
			shared->wrong = true;
		}
		shared->lives++;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	struct timespec second = { .tv_sec = 1 };
	int worker, workers = argc > 2 ? atoi(argv[1]) : 0;
	sigset_t end;

	if (workers < 1) {
		fprintf(stderr, "usage: storm WORKERS DEVICE...\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (worker = 0; worker < workers; worker++) {
		pid_t child = fork();

		if (child < 0)
			return 2;
		if (child == 0)
			work(argv + 2, argc - 2);
	}
	do
		printf("progress lives=%lu\n", shared->lives);
	while (!shared->wrong && sigtimedwait(&end, NULL, &second) != SIGTERM);
	shared->over = true;
	while (wait(NULL) > 0)
		;
	printf("summary lives=%lu wrong=%d\n", shared->lives, shared->wrong);
	return shared->wrong;
}
