// SPDX-License-Identifier: GPL-2.0
/* See xpmem_user.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xpmem_user.h"

static void give_up(const char *what)
{
	perror(what);
	abort();
}

int xp_open(void)
{
	int fd = open(XPMEM_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int64_t xp_command(int fd, unsigned int command, void *arg)
{
	int ret = ioctl(fd, command, arg);

	return ret < 0 ? -errno : ret;
}

static struct xpmem_cmd_make make_of(const void *start, size_t size, unsigned int mode)
{
	return (struct xpmem_cmd_make){
		.vaddr = (uintptr_t)start,
		.size = size,
		.permit_type = XPMEM_PERMIT_MODE,
		.permit_value = mode,
	};
}

static struct xpmem_cmd_get get_of(int64_t segid, int flags)
{
	return (struct xpmem_cmd_get){
		.segid = segid,
		.flags = flags,
		.permit_type = XPMEM_PERMIT_MODE,
	};
}

static struct xpmem_cmd_attach attach_of(int64_t apid, int64_t offset, size_t size, void *at)
{
	return (struct xpmem_cmd_attach){
		.apid = apid,
		.offset = offset,
		.size = size,
		.vaddr = (uintptr_t)at,
	};
}

int64_t xp_make(int fd, const void *start, size_t size, unsigned int mode)
{
	struct xpmem_cmd_make make = make_of(start, size, mode);
	int64_t ret = xp_command(fd, XPMEM_CMD_MAKE, &make);

	return ret ? ret : make.segid;
}

int64_t xp_remove(int fd, int64_t segid)
{
	return xp_command(fd, XPMEM_CMD_REMOVE, &segid);
}

int64_t xp_get(int fd, int64_t segid, int flags)
{
	struct xpmem_cmd_get get = get_of(segid, flags);
	int64_t ret = xp_command(fd, XPMEM_CMD_GET, &get);

	return ret ? ret : get.apid;
}

int64_t xp_release(int fd, int64_t apid)
{
	return xp_command(fd, XPMEM_CMD_RELEASE, &apid);
}

int64_t xp_attach(int fd, int64_t apid, int64_t offset, size_t size, void *at)
{
	struct xpmem_cmd_attach attach = attach_of(apid, offset, size, at);
	int64_t ret = xp_command(fd, XPMEM_CMD_ATTACH, &attach);

	return ret ? ret : (int64_t)attach.vaddr;
}

int64_t xp_detach(int fd, const void *addr)
{
	uint64_t vaddr = (uintptr_t)addr;

	return xp_command(fd, XPMEM_CMD_DETACH, &vaddr);
}

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return length >= 0;
}

struct xp_pages xp_pages(void)
{
	struct xp_pages pages;
	char text[256];
	int end = 0;

	if (!read_text("/proc/xpmem/global_pages", text, sizeof(text)))
		give_up("global_pages");
	sscanf(text, "all pages pinned by XPMEM: %llu\nall pages unpinned by XPMEM: %llu\n%n",
	       &pages.entered, &pages.left, &end);
	if (!end || text[end]) {
		fprintf(stderr, "global_pages: %s\n", text);
		abort();
	}
	return pages;
}

long xp_pages_of(pid_t tgid)
{
	char path[64], text[128];
	long pages = -1;
	int end = 0;

	snprintf(path, sizeof(path), "/proc/xpmem/%d", tgid);
	if (!read_text(path, text, sizeof(text)))
		return -1;
	sscanf(text, "pages pinned by XPMEM: %ld\n%n", &pages, &end);
	return end && !text[end] ? pages : -1;
}

static __thread sigjmp_buf fault;
static __thread volatile bool expected;

static void on_fault(int signal_number)
{
	if (expected)
		siglongjmp(fault, signal_number);
	/* Back to where it came from, to die of it. */
	signal(signal_number, SIG_DFL);
}

static int access_word(uint64_t *at, uint64_t *word, bool write)
{
	int got;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	got = sigsetjmp(fault, 1);
	if (!got) {
		expected = true;
		if (write)
			*(volatile uint64_t *)at = *word;
		else
			*word = *(volatile uint64_t *)at;
	}
	expected = false;
	return got;
}

int load(const void *from, uint64_t *word)
{
	return access_word((uint64_t *)from, word, false);
}

int store(void *to, uint64_t word)
{
	return access_word(to, &word, true);
}

/* What a peer is told beside numbers of system calls. */
enum { LOAD = -1, STORE = -2, FORK = -3, TOUCH = -4, DISCARD = -5 };

struct request {
	long number;
	unsigned long args[6];
};

static void transfer(int fd, void *data, size_t size, bool out)
{
	ssize_t done;

	do {
		done = out ? write(fd, data, size) : read(fd, data, size);
	} while (done < 0 && errno == EINTR);
	if (done != (ssize_t)size)
		_exit(done ? 126 : 0);
}

static long obey(struct peer *peer, struct request *it)
{
	unsigned long *args = it->args;
	long ret;

	switch (it->number) {
	case LOAD:
		return load((void *)args[0], (uint64_t *)peer->arg);
	case STORE:
		return store((void *)args[0], args[1]);
	case TOUCH:
		for (uint64_t word = 0;; word++)
			store((char *)args[0] + word * PAGE % args[1], word);
	case DISCARD:
		for (uint64_t word = 0;; word++) {
			madvise((void *)args[0], args[1], MADV_DONTNEED);
			store((char *)args[0] + word * PAGE % args[1], word);
		}
	case FORK:
		ret = fork();
		if (ret)
			return ret;
		for (;;)
			pause();
	}
	ret = syscall(it->number, args[0], args[1], args[2], args[3], args[4], args[5]);
	return ret == -1 ? -errno : ret;
}

void peer_start(struct peer *peer)
{
	pid_t parent = getpid();
	int down[2], up[2];

	peer->arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (peer->arg == MAP_FAILED || pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		give_up("peer");
	peer->to = down[1];
	peer->from = up[0];
	peer->pid = fork();
	if (peer->pid < 0)
		give_up("fork");
	if (peer->pid) {
		close(down[0]);
		close(up[1]);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	close(down[1]);
	close(up[0]);
	for (;;) {
		struct request request;
		long result;

		transfer(down[0], &request, sizeof(request), false);
		result = obey(peer, &request);
		transfer(up[1], &result, sizeof(result), true);
	}
}

static int reap(struct peer *peer)
{
	int status;

	while (waitpid(peer->pid, &status, 0) != peer->pid)
		if (errno != EINTR)
			give_up("waitpid");
	close(peer->to);
	close(peer->from);
	munmap(peer->arg, PAGE);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int peer_exit(struct peer *peer)
{
	peer_begin(peer, SYS_exit_group, 0L);
	return reap(peer);
}

void peer_kill(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	reap(peer);
}

static void send_request(struct peer *peer, long number, va_list args)
{
	struct request request = { .number = number };

	for (size_t i = 0; i < 6; i++)
		request.args[i] = va_arg(args, unsigned long);
	transfer(peer->to, &request, sizeof(request), true);
}

void peer_begin(struct peer *peer, long number, ...)
{
	va_list args;

	va_start(args, number);
	send_request(peer, number, args);
	va_end(args);
}

long peer_end(struct peer *peer)
{
	long result;

	transfer(peer->from, &result, sizeof(result), false);
	return result;
}

long peer_call(struct peer *peer, long number, ...)
{
	va_list args;

	va_start(args, number);
	send_request(peer, number, args);
	va_end(args);
	return peer_end(peer);
}

int peer_load(struct peer *peer, const void *from, uint64_t *word)
{
	int got = (int)peer_call(peer, LOAD, from);

	*word = *(uint64_t *)peer->arg;
	return got;
}

int peer_store(struct peer *peer, void *to, uint64_t word)
{
	return (int)peer_call(peer, STORE, to, word);
}

pid_t peer_fork(struct peer *peer)
{
	return (pid_t)peer_call(peer, FORK);
}

void peer_touch(struct peer *peer, void *area, size_t size)
{
	peer_begin(peer, TOUCH, area, size);
}

void peer_discard(struct peer *peer, void *area, size_t size)
{
	peer_begin(peer, DISCARD, area, size);
}

int peer_open(struct peer *peer)
{
	strcpy(peer->arg, XPMEM_DEVICE);
	return (int)peer_call(peer, SYS_openat, (long)AT_FDCWD, peer->arg, (long)O_RDWR, 0L);
}

static int64_t peer_command(struct peer *peer, int fd, unsigned int command, const void *arg,
			    size_t size)
{
	memcpy(peer->arg, arg, size);
	return peer_call(peer, SYS_ioctl, (long)fd, (long)command, peer->arg);
}

int64_t peer_make(struct peer *peer, int fd, const void *start, size_t size, unsigned int mode)
{
	struct xpmem_cmd_make make = make_of(start, size, mode);
	int64_t ret = peer_command(peer, fd, XPMEM_CMD_MAKE, &make, sizeof(make));

	return ret ? ret : ((struct xpmem_cmd_make *)peer->arg)->segid;
}

int64_t peer_remove(struct peer *peer, int fd, int64_t segid)
{
	return peer_command(peer, fd, XPMEM_CMD_REMOVE, &segid, sizeof(segid));
}

int64_t peer_get(struct peer *peer, int fd, int64_t segid, int flags)
{
	struct xpmem_cmd_get get = get_of(segid, flags);
	int64_t ret = peer_command(peer, fd, XPMEM_CMD_GET, &get, sizeof(get));

	return ret ? ret : ((struct xpmem_cmd_get *)peer->arg)->apid;
}

int64_t peer_attach(struct peer *peer, int fd, int64_t apid, int64_t offset, size_t size,
		    void *at)
{
	struct xpmem_cmd_attach attach = attach_of(apid, offset, size, at);
	int64_t ret = peer_command(peer, fd, XPMEM_CMD_ATTACH, &attach, sizeof(attach));

	return ret ? ret : (int64_t)((struct xpmem_cmd_attach *)peer->arg)->vaddr;
}

void *peer_map(struct peer *peer, size_t pages)
{
	char *area = (char *)peer_call(peer, SYS_mmap, 0L, (long)(pages * PAGE),
				       (long)(PROT_READ | PROT_WRITE),
				       (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);

	peer_call(peer, SYS_madvise, area, (long)(pages * PAGE), (long)MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		if (peer_store(peer, area + i * PAGE, word_of(i)))
			give_up("peer_map");
	return area;
}

uint64_t word_of(size_t page)
{
	return 0x1234000000000000UL + page;
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
