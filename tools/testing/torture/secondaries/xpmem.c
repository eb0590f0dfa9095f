// SPDX-License-Identifier: GPL-2.0
/* /dev/xpmem: a partner process attaches the arena, and reads and writes it when asked to. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"
#include "secondaries.h"

#define XPMEM_MAKE	_IO('x', 1)
#define XPMEM_GET	_IO('x', 3)
#define XPMEM_ATTACH	_IO('x', 5)

#define XPMEM_RDWR		2
#define XPMEM_PERMIT_MODE	1

struct xpmem_make {
	uint64_t vaddr;
	size_t size;
	int permit_type;
	uint64_t permit_value;
	int64_t segid;
};

struct xpmem_get {
	int64_t segid;
	int flags;
	int permit_type;
	uint64_t permit_value;
	int64_t apid;
};

struct xpmem_attach {
	int64_t apid;
	off_t offset;
	size_t size;
	uint64_t vaddr;
	int fd;
	int flags;
};

enum turn { ASKER, PARTNER, FAILED };
enum request { LOAD, STORE };

/* What the two processes share. */
struct dialogue {
	_Atomic uint32_t turn;
	enum request request;
	size_t offset;
	uint64_t value;
	int result;
};

/* Whose turn it is, by the descriptor; a fork's child asks nobody. */
struct line {
	struct dialogue *dialogue;
	pthread_mutex_t lock;
	pid_t partner;
};

#define LINES 1024
static struct line lines[LINES];

static void wait_while(struct dialogue *dialogue, enum turn turn)
{
	while (dialogue->turn == turn)
		syscall(SYS_futex, &dialogue->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
}

static void pass_to(struct dialogue *dialogue, enum turn turn)
{
	dialogue->turn = turn;
	syscall(SYS_futex, &dialogue->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static char *attach(int64_t segid, size_t size)
{
	struct xpmem_get get = {
		.segid = segid, .flags = XPMEM_RDWR, .permit_type = XPMEM_PERMIT_MODE,
	};
	struct xpmem_attach attach = { .size = size, .fd = -1 };
	int fd = TEMP_FAILURE_RETRY(open("/dev/xpmem", O_RDWR | O_CLOEXEC));

	if (fd < 0 || TEMP_FAILURE_RETRY(ioctl(fd, XPMEM_GET, &get)))
		return NULL;
	attach.apid = get.apid;
	return TEMP_FAILURE_RETRY(ioctl(fd, XPMEM_ATTACH, &attach)) ? NULL : (char *)attach.vaddr;
}

/* The partner's life: it does what it is asked to, and dies with the asker. */
static void serve(struct dialogue *dialogue, char *arena, size_t size, int64_t segid)
{
	char *attached;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It must not keep the asker's files open, nor share its pages in any other way. */
	close_range(3, ~0U, 0);
	munmap(arena, size);
	attached = attach(segid, size);
	pass_to(dialogue, attached ? ASKER : FAILED);
	while (attached) {
		char *address;
		bool done;

		wait_while(dialogue, ASKER);
		address = attached + dialogue->offset;
		done = dialogue->request == LOAD ? cpu_read(address, &dialogue->value)
						 : cpu_write(address, dialogue->value);
		dialogue->result = done ? 0 : -EFAULT;
		pass_to(dialogue, ASKER);
	}
	_exit(1);
}

static int xpmem_open(struct secondary *secondary, size_t size)
{
	struct xpmem_make make = {
		.vaddr = (uintptr_t)secondary->arena, .size = size,
		.permit_type = XPMEM_PERMIT_MODE, .permit_value = 0600,
	};
	struct line *line;

	secondary->fd = open("/dev/xpmem", O_RDWR | O_CLOEXEC);
	if (secondary->fd < 0 || secondary->fd >= LINES || ioctl(secondary->fd, XPMEM_MAKE, &make))
		return -errno;
	line = &lines[secondary->fd];
	pthread_mutex_init(&line->lock, NULL);
	line->dialogue = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	if (line->dialogue == MAP_FAILED)
		return -errno;
	line->dialogue->turn = PARTNER;
	line->partner = fork();
	if (line->partner == 0)
		serve(line->dialogue, secondary->arena, size, make.segid);
	if (line->partner < 0)
		return -errno;
	wait_while(line->dialogue, PARTNER);
	return line->dialogue->turn == FAILED ? -EIO : 0;
}

static int ask(struct secondary *secondary, enum request request, char *address, uint64_t *value)
{
	struct line *line = &lines[secondary->fd];
	int result;

	pthread_mutex_lock(&line->lock);
	line->dialogue->request = request;
	line->dialogue->offset = address - secondary->arena;
	line->dialogue->value = *value;
	pass_to(line->dialogue, PARTNER);
	wait_while(line->dialogue, PARTNER);
	*value = line->dialogue->value;
	result = line->dialogue->result;
	pthread_mutex_unlock(&line->lock);
	return result;
}

static int xpmem_read(struct secondary *secondary, char *address, uint64_t *value,
		      struct bounce *bounce)
{
	(void)bounce;
	return ask(secondary, LOAD, address, value);
}

static int xpmem_write(struct secondary *secondary, char *address, uint64_t value,
		       struct bounce *bounce)
{
	(void)bounce;
	return ask(secondary, STORE, address, &value);
}

static void xpmem_close(struct secondary *secondary)
{
	struct line *line = &lines[secondary->fd];

	if (line->partner > 0) {
		kill(line->partner, SIGKILL);
		waitpid(line->partner, NULL, 0);
	}
	if (line->dialogue)
		munmap(line->dialogue, PAGE);
	*line = (struct line){ 0 };
}

const struct secondary_class xpmem = {
	.name = "xpmem",
	.open = xpmem_open,
	.read = xpmem_read,
	.write = xpmem_write,
	.close = xpmem_close,
};
