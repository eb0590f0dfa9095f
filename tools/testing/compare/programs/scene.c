// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scene.h"

static const struct {
	const char *name;
	unsigned long at;
	size_t size;
} areas[AREAS] = {
	[SMALL] = { "small", 2UL << 20, 48 * PAGE },
	[SHARED] = { "shared", 8UL << 20, 32 * PAGE },
	[PRIVATE_FILE] = { "private", 12UL << 20, 32 * PAGE },
	[HUGE_PAGES] = { "huge", 16UL << 20, 2 * HUGE },
};

char *area_start(enum area area)
{
	return (char *)BASE + areas[area].at;
}

size_t area_size(enum area area)
{
	return areas[area].size;
}

static void give_up(const char *what)
{
	perror(what);
	_exit(1);
}

void area_renew(struct scene *scene, enum area area)
{
	int flags = area == SHARED ? MAP_SHARED : MAP_PRIVATE;
	bool file = area == SHARED || area == PRIVATE_FILE;
	void *start = area_start(area);
	size_t size = area_size(area);

	if (mmap(start, size, PROT_READ | PROT_WRITE,
		 flags | MAP_FIXED | (file ? 0 : MAP_ANONYMOUS),
		 file ? scene->file : -1, 0) != start)
		give_up("mmap");
	if (madvise(start, size, area == HUGE_PAGES ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		give_up("madvise");
}

void scene_open(struct scene *scene, int session)
{
	*scene = (struct scene){
		.session = session,
		.file = memfd_create("area", MFD_CLOEXEC),
		.zero = open("/dev/zero", O_RDONLY | O_CLOEXEC),
		.scratch = memfd_create("scratch", MFD_CLOEXEC),
	};
	if (scene->file < 0 || scene->zero < 0 || scene->scratch < 0 ||
	    ftruncate(scene->file, 32 * PAGE))
		give_up("memfd_create");
	for (int area = 0; area < AREAS; area++)
		area_renew(scene, area);
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		mnt_behave(session, slot, (void *)BASE, WINDOW, (struct mnt_behave){});
}

struct range range_of(struct draw *from, enum area area)
{
	/* Of the huge pages half are taken whole. */
	size_t unit = area == HUGE_PAGES && one_in(from, 2) ? HUGE : PAGE;
	size_t units = areas[area].size / unit;
	size_t at = below(from, units);
	size_t most = units - at < 12 ? units - at : 12;

	return (struct range){ area, area_start(area) + at * unit,
			       (1 + below(from, most)) * unit };
}

struct range any_range(struct draw *from)
{
	/* Most of the time the one that is cheap and can everything. */
	return range_of(from, one_in(from, 2) ? SMALL : below(from, AREAS));
}

void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
}

long error_of(long result)
{
	return result < 0 ? -errno : result;
}

const char *in_words(struct range range)
{
	static char words[4][40];
	static unsigned int turn;
	char *at = words[turn++ % 4];

	snprintf(at, sizeof(words[0]), "%s[%zu+%zu]", areas[range.area].name,
		 (range.start - area_start(range.area)) / PAGE, range.size / PAGE);
	return at;
}

int pick_slot(struct scene *scene, struct draw *from, int first, int count, bool used)
{
	int start = below(from, count);

	for (int i = 0; i < count; i++) {
		int slot = first + (start + i) % count;

		if (scene->slots[slot].used == used)
			return slot;
	}
	return -1;
}
