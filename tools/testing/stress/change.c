// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "change.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static void *map_at(void *where, size_t length)
{
	return mmap(where, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);
}

char *map_area(size_t pages)
{
	char *area = map_at(NULL, pages * PAGE);

	if (area == MAP_FAILED || madvise(area, pages * PAGE, MADV_POPULATE_WRITE))
		return NULL;
	return area;
}

bool empties(enum change what)
{
	return what <= MOVE_AWAY;
}

static bool move_away(char *start, size_t length)
{
	char *there = map_at(NULL, length);
	bool moved = there != MAP_FAILED &&
		     mremap(start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there;

	/* Where another thread made a hole, it is filled again. */
	map_at(start, length);
	munmap(there, length);
	return moved;
}

/* Copies on write, by the child alone; the parent does its own later. */
static bool fork_and_write(char *start, size_t length)
{
	pid_t child = fork();

	if (child == 0) {
		madvise(start, length, MADV_POPULATE_WRITE);
		_exit(0);
	}
	return child > 0 && waitpid(child, NULL, 0) == child;
}

bool change(enum change what, char *start, size_t length)
{
	switch (what) {
	case DISCARD:
		return !madvise(start, length, MADV_DONTNEED);
	case REPLACE:
		return map_at(start, length) == start;
	case MOVE_AWAY:
		return move_away(start, length);
	case PROTECT:
		return !mprotect(start, length, PROT_READ) &&
		       !mprotect(start, length, PROT_READ | PROT_WRITE);
	case FORK:
		return fork_and_write(start, length);
	case PAGE_OUT:
		return !madvise(start, length, MADV_PAGEOUT);
	case COOL:
		return !madvise(start, length, MADV_COLD);
	case CHANGES:
		break;
	}
	return false;
}
