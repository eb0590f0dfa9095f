// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_xpmem [seed [operations]]: random commands of /dev/xpmem by several
 * processes at once, most of them near what makes sense, while memory comes
 * and goes. The kernel must stay whole, every errno be one that xpmem.h knows,
 * memory that nobody exports stay as it is; and afterwards nothing may be left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "xpmem_user.h"

#define PROCESSES	3
#define KNOWN		8	/* ids and addresses that a process remembers */
#define GUARD		4	/* pages that nobody exports */

/* All processes see each other's ids. */
struct ids {
	int64_t segids[KNOWN], apids[PROCESSES][KNOWN];
	unsigned long attached;
};

static struct ids *ids;
static int number;	/* of this process */
static uint64_t seed;
static int fd;
/* What is exported, with nothing around it that can be accessed. */
static char *area;
static char *guard;
/* Where attachments with a fixed address go. */
static char *room;
static char *attached[KNOWN];
/* Where structures are: the last ones of a page, so that some lie across. */
static char *arguments;

static uint64_t below(uint64_t limit)
{
	return next_random(&seed) % limit;
}

/* A number at or near one that matters. */
static uint64_t some_number(void)
{
	static const uint64_t edges[] = {
		0, 1, PAGE, SIZE, 1UL << 31, 1UL << 32, (1UL << 47) - PAGE, 1UL << 47,
		1UL << 63, -PAGE,
	};

	if (!below(4))
		return next_random(&seed);
	return edges[below(sizeof(edges) / sizeof(*edges))] + below(3) - 1;
}

static uint64_t near(uint64_t what)
{
	switch (below(12)) {
	case 0:
		return some_number();
	case 1:
		return what + below(16) - 8;
	case 2:
		return what + (below(5) - 2) * PAGE;
	default:
		return what;
	}
}

static int64_t some_id(const int64_t *known)
{
	if (!below(16))
		return ids->apids[below(PROCESSES)][below(KNOWN)];
	return below(16) ? known[below(KNOWN)] : (int64_t)near(known[below(KNOWN)]);
}

/* Where the argument is: mostly in memory. */
static void *argument(const void *from, size_t size)
{
	char *at = arguments + PAGE - size;

	if (!below(32))
		return (void *)some_number();
	memcpy(at, from, size);
	/* Its end lies where there is no memory. */
	return below(32) ? at : at + 8;
}

static bool is_known(int64_t error)
{
	static const int allowed[] = {
		EINVAL, ENOENT, EACCES, EFAULT, ENOMEM, ENOTTY, EPERM, XPMEM_ERRNO_NOPROC,
	};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (error == -allowed[i])
			return true;
	return error >= 0;
}

static int64_t command(unsigned int number, const void *from, size_t size, void **where)
{
	int64_t ret;

	*where = argument(from, size);
	ret = xp_command(fd, number, *where);
	if (!is_known(ret))
		ksft_exit_fail_msg("command %u: %s\n", number, strerror((int)-ret));
	return ret;
}

static void make(void)
{
	struct xpmem_cmd_make it = {
		.vaddr = near((uintptr_t)area + below(PAGES / 4) * PAGE),
		.size = below(16) ? near(SIZE - below(PAGES) * PAGE) : XPMEM_MAXADDR_SIZE,
		.permit_type = (int)near(XPMEM_PERMIT_MODE),
		.permit_value = below(8) ? 0666 : near(below(01000)),
	}, *at;

	/* To export more, and to let others write to it, would harm the test itself. */
	if (it.size > 2 * SIZE)
		it.vaddr |= 1;
	if (!command(XPMEM_CMD_MAKE, &it, sizeof(it), (void **)&at))
		ids->segids[below(KNOWN)] = at->segid;
}

static void get(void)
{
	struct xpmem_cmd_get it = {
		.segid = some_id(ids->segids),
		.flags = below(8) ? 1 + (int)below(2) : (int)some_number(),
		.permit_type = (int)near(XPMEM_PERMIT_MODE),
		.permit_value = below(16) ? 0 : some_number(),
	}, *at;

	if (!command(XPMEM_CMD_GET, &it, sizeof(it), (void **)&at))
		ids->apids[number][below(KNOWN)] = at->apid;
}

static void attach(void)
{
	struct xpmem_cmd_attach it = {
		.apid = some_id(ids->apids[number]),
		.offset = (int64_t)near(below(PAGES / 2) * PAGE),
		.size = near(PAGE + below(PAGES / 2) * PAGE),
		.vaddr = below(2) ? 0 : near((uintptr_t)room + below(PAGES) * PAGE),
	}, *at;

	/* Else it could take the place of what the test needs. */
	if (it.vaddr < (uintptr_t)room || it.vaddr > (uintptr_t)room + SIZE || it.size > SIZE)
		it.vaddr = 0;
	if (command(XPMEM_CMD_ATTACH, &it, sizeof(it), (void **)&at))
		return;
	attached[below(KNOWN)] = (char *)at->vaddr;
	__atomic_add_fetch(&ids->attached, 1, __ATOMIC_RELAXED);
}

static void use(void)
{
	char *at = attached[below(KNOWN)] + below(PAGES / 2) * PAGE;
	uint64_t word;

	/* It may have been detached, and the address may be of another attachment by now. */
	if (below(2))
		load(at, &word);
	else
		store(at, next_random(&seed));
}

static void change(void)
{
	char *at = area + below(PAGES) * PAGE;
	pid_t child;

	switch (below(6)) {
	case 0:
		madvise(at, PAGE, MADV_DONTNEED);
		break;
	case 1:
		mprotect(at, PAGE, PROT_READ);
		break;
	case 2:
		mprotect(area, SIZE, PROT_READ | PROT_WRITE);
		break;
	case 3:
		munmap(at, PAGE);
		break;
	case 4:
		mmap(area, SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 5:
		child = fork();
		if (!child) {
			struct xpmem_cmd_make it = { .vaddr = 1 };

			/* Not registered. */
			if (xp_command(fd, XPMEM_CMD_MAKE, &it) != -XPMEM_ERRNO_NOPROC)
				_exit(1);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		break;
	}
}

static void step(void)
{
	int64_t word;
	void *at;

	switch (below(16)) {
	case 0:
		make();
		break;
	case 1 ... 2:
		get();
		break;
	case 3 ... 5:
		attach();
		break;
	case 6:
		word = some_id(ids->segids);
		if (below(4))
			break;
		command(XPMEM_CMD_REMOVE, &word, sizeof(word), &at);
		break;
	case 7:
		word = some_id(ids->apids[number]);
		if (below(4))
			break;
		command(XPMEM_CMD_RELEASE, &word, sizeof(word), &at);
		break;
	case 8:
		word = (int64_t)near((uintptr_t)attached[below(KNOWN)]);
		command(XPMEM_CMD_DETACH, &word, sizeof(word), &at);
		break;
	case 9:
		word = (int64_t)some_number();
		command(_IO('x', below(300)), &word, sizeof(word), &at);
		break;
	case 10:
		if (below(32))
			break;
		close(fd);
		fd = xp_open();
		if (fd < 0)
			ksft_exit_fail_msg("open: %s\n", strerror(-fd));
		break;
	case 11 ... 12:
		change();
		break;
	default:
		use();
	}
}

/* Memory, with as much on both sides that cannot be accessed. */
static char *fenced(size_t size)
{
	char *fence = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fence == MAP_FAILED || mprotect(fence + size, size, PROT_READ | PROT_WRITE))
		ksft_exit_fail_msg("memory: %s\n", strerror(errno));
	return fence + size;
}

static void fuzz(unsigned long operations)
{
	guard = fenced(GUARD * PAGE);
	memset(guard, 0x5a, GUARD * PAGE);
	arguments = fenced(PAGE);
	area = fenced(4 * SIZE) + SIZE;
	munmap(area - SIZE, SIZE);
	munmap(area + SIZE, 2 * SIZE);
	room = fenced(2 * SIZE);
	fd = xp_open();
	if (fd < 0)
		ksft_exit_fail_msg("open: %s\n", strerror(-fd));
	for (int i = 0; i < KNOWN; i++)
		attached[i] = area;
	while (operations--)
		step();
	for (size_t i = 0; i < GUARD * PAGE; i++)
		if (guard[i] != 0x5a)
			ksft_exit_fail_msg("byte %zu of what nobody exports has changed\n", i);
	_exit(0);
}

/* A fresh process exports to itself. */
static bool works(void)
{
	int own = xp_open();
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int64_t segid = xp_make(own, memory, PAGE, 0600);
	int64_t apid = xp_get(own, segid, XPMEM_RDWR);
	int64_t at = xp_attach(own, apid, 0, PAGE, NULL);
	bool good = at > 0 && !store((void *)at, 42) && *(uint64_t *)memory == 42;

	close(own);
	return good;
}

int main(int argc, char **argv)
{
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 0) : 2000;
	struct xp_pages before, after;
	pid_t children[PROCESSES];
	bool good = true;

	ksft_print_header();
	ksft_set_plan(2);
	ksft_print_msg("seed %lu, %lu operations by each of %d processes\n", first, operations,
		       PROCESSES);
	before = xp_pages();
	ids = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (!children[i]) {
			number = i;
			/* Neighbours shall not resemble each other. */
			seed = (first * PROCESSES + i + 1) * 0x9e3779b97f4a7c15UL;
			fuzz(operations);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		if (waitpid(children[i], &status, 0) != children[i] || status)
			good = false;
	}
	ksft_test_result(good, "random commands\n");
	good = works();
	after = xp_pages();
	ksft_print_msg("%lu attachments, %llu pages entered\n", ids->attached,
		       after.entered - before.entered);
	ksft_test_result(good && after.entered - before.entered == after.left - before.left,
			 "nothing is left\n");
	ksft_finished();
}
