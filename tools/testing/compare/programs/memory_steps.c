// SPDX-License-Identifier: GPL-2.0
/* What the VM is asked to do to the areas. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#define MPOL_BIND	2
#define MPOL_DEFAULT	0
#define MPOL_MF_MOVE	2

/* By a system call, so that what may not be accessed is an error and no signal. */
static long store(struct scene *scene, struct range range)
{
	long done = 0;

	for (size_t at = 0; at < range.size; at += PAGE)
		done += read(scene->zero, range.start + at, 8) == 8;
	return done;
}

static void step_store(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);

	say("store %s = %ld", in_words(range), store(scene, range));
}

static void step_load(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	long done = 0;

	for (size_t at = 0; at < range.size; at += PAGE)
		done += pwrite(scene->scratch, range.start + at, 8, 0) == 8;
	say("load %s = %ld", in_words(range), done);
}

static void step_mprotect(struct scene *scene, struct draw *from)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ,
				     PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };
	struct range range = any_range(from);
	int prot = prots[below(from, 5)];

	(void)scene;
	say("mprotect %s %d = %ld", in_words(range), prot,
	    error_of(mprotect(range.start, range.size, prot)));
}

static const struct {
	const char *name;
	int advice;
} advices[] = {
	{ "dontneed", MADV_DONTNEED },
	{ "dontneed", MADV_DONTNEED },
	{ "free", MADV_FREE },
	{ "pageout", MADV_PAGEOUT },
	{ "cold", MADV_COLD },
	{ "remove", MADV_REMOVE },
	{ "populate_read", MADV_POPULATE_READ },
	{ "populate_write", MADV_POPULATE_WRITE },
	{ "guard_install", MADV_GUARD_INSTALL },
	{ "guard_remove", MADV_GUARD_REMOVE },
	{ "mergeable", MADV_MERGEABLE },
	{ "unmergeable", MADV_UNMERGEABLE },
	{ "dontfork", MADV_DONTFORK },
	{ "dofork", MADV_DOFORK },
};

static void step_madvise(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	unsigned int which = below(from, sizeof(advices) / sizeof(advices[0]));

	(void)scene;
	say("madvise %s %s = %ld", in_words(range), advices[which].name,
	    error_of(madvise(range.start, range.size, advices[which].advice)));
}

static void step_collapse(struct scene *scene, struct draw *from)
{
	struct range range = { HUGE_PAGES, area_start(HUGE_PAGES) + below(from, 2) * HUGE, HUGE };

	store(scene, (struct range){ HUGE_PAGES, range.start, PAGE });
	say("collapse %s = %ld", in_words(range),
	    error_of(madvise(range.start, range.size, MADV_COLLAPSE)));
}

static void step_renew(struct scene *scene, struct draw *from)
{
	enum area area = below(from, AREAS);

	say("mmap over %s", in_words((struct range){ area, area_start(area), area_size(area) }));
	area_renew(scene, area);
	if (one_in(from, 2))
		store(scene, range_of(from, area));
}

/* munmap, and something else in its place. */
static void step_munmap(struct scene *scene, struct draw *from)
{
	enum area area = one_in(from, 2) ? SMALL : PRIVATE_FILE;
	struct range range = range_of(from, area);

	(void)scene;
	say("munmap %s = %ld", in_words(range), error_of(munmap(range.start, range.size)));
	if (mmap(range.start, range.size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != range.start)
		say("mmap = %d", -errno);
	madvise(range.start, range.size, MADV_NOHUGEPAGE);
}

static void step_mremap(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	bool keep = one_in(from, 3) && range.area != SHARED;
	char *to = SPARE + (one_in(from, 2) ? 0 : HUGE / 2);
	void *moved = mremap(range.start, range.size, range.size,
			     MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0), to);
	void *back;

	(void)scene;
	say("mremap %s%s = %d", in_words(range), keep ? " dontunmap" : "",
	    moved == MAP_FAILED ? -errno : 0);
	if (moved == MAP_FAILED)
		return;
	back = mremap(to, range.size, range.size, MREMAP_MAYMOVE | MREMAP_FIXED, range.start);
	say("mremap back = %d", back == MAP_FAILED ? -errno : 0);
}

static void end_child(struct scene *scene)
{
	if (!scene->child)
		return;
	if (write(scene->child_ends, "", 1) != 1)
		say("write = %d", -errno);
	close(scene->child_ends);
	waitpid(scene->child, NULL, 0);
	scene->child = 0;
}

/* The child writes to what it shares with its parent, and may live on. */
static void step_fork(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	int going[2], ready[2];
	char c;

	if (scene->child) {
		end_child(scene);
		say("end of the child");
		return;
	}
	if (pipe2(going, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
		return;
	say("fork, the child stores %s", in_words(range));
	fflush(stdout);
	scene->child = fork();
	if (!scene->child) {
		close(going[1]);
		store(scene, range);
		if (write(ready[1], "", 1) == 1 && read(going[0], &c, 1) == 1)
			_exit(0);
		_exit(1);
	}
	close(going[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		say("the child has not come");
	close(ready[0]);
	scene->child_ends = going[1];
	if (one_in(from, 2))
		end_child(scene);
}

static void step_soft_dirty(struct scene *scene, struct draw *from)
{
	(void)scene;
	(void)from;
	say("clear_refs 4 = %d", write_file("/proc/self/clear_refs", "4") ? -errno : 0);
}

static int userfault(unsigned long long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static long uffd_register(int fd, struct range range, unsigned long long mode)
{
	struct uffdio_register add = {
		.range = { (uintptr_t)range.start, range.size }, .mode = mode,
	};

	return error_of(ioctl(fd, UFFDIO_REGISTER, &add));
}

static void step_write_protect(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	int fd = userfault(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)range.start, range.size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	say("userfault %s wp = %ld", in_words(range),
	    uffd_register(fd, range, UFFDIO_REGISTER_MODE_WP));
	say("protect = %ld", error_of(ioctl(fd, UFFDIO_WRITEPROTECT, &protect)));
	if (one_in(from, 2))
		say("store = %ld", store(scene, range));
	protect.mode = 0;
	if (one_in(from, 2))
		say("unprotect = %ld", error_of(ioctl(fd, UFFDIO_WRITEPROTECT, &protect)));
	close(fd);
}

static void step_scan(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	struct page_region regions[64];
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)range.start,
		.end = (uintptr_t)range.start + range.size,
		.vec = (uintptr_t)regions,
		/* Where there is room for few, the scan comes in pieces. */
		.vec_len = one_in(from, 2) ? 1 : 64,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int fd = userfault(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	uffd_register(fd, range, UFFDIO_REGISTER_MODE_WP);
	store(scene, range);
	say("pagemap_scan %s = %ld", in_words(range),
	    error_of(ioctl(pagemap, PAGEMAP_SCAN, &scan)));
	close(pagemap);
	close(fd);
}

static void step_move(struct scene *scene, struct draw *from)
{
	struct range range = range_of(from, one_in(from, 4) ? HUGE_PAGES : SMALL);
	int fd = userfault(UFFD_FEATURE_MOVE);
	void *to = mmap(SPARE, range.size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct range target = { range.area, to, range.size };
	struct uffdio_move move = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)range.start,
		.len = range.size,
		.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES,
	};

	(void)scene;
	uffd_register(fd, target, UFFDIO_REGISTER_MODE_MISSING);
	say("userfault move %s = %ld", in_words(range), error_of(ioctl(fd, UFFDIO_MOVE, &move)));
	close(fd);
	munmap(SPARE, range.size);
}

static void step_migrate(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	unsigned int pages = range.size / PAGE < 16 ? range.size / PAGE : 16;
	int node = below(from, 2), nodes[16], status[16];
	void *addresses[16];
	long result;

	(void)scene;
	for (unsigned int i = 0; i < pages; i++) {
		addresses[i] = range.start + i * PAGE;
		nodes[i] = node;
	}
	result = error_of(syscall(SYS_move_pages, 0, pages, addresses, nodes, status,
				  MPOL_MF_MOVE));
	say("move_pages %s to %d = %ld", in_words(range), node, result);
}

static void step_mbind(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	unsigned long mask = 1UL << below(from, 2);

	(void)scene;
	say("mbind %s %lu = %ld", in_words(range), mask,
	    error_of(syscall(SYS_mbind, range.start, range.size, MPOL_BIND, &mask, 8,
			     MPOL_MF_MOVE)));
	syscall(SYS_mbind, range.start, range.size, MPOL_DEFAULT, NULL, 0, 0);
}

static void step_file(struct scene *scene, struct draw *from)
{
	off_t at = below(from, 32) * PAGE;
	off_t length = (1 + below(from, 8)) * PAGE;

	if (one_in(from, 2)) {
		say("punch %ld+%ld = %ld", at / PAGE, length / PAGE,
		    error_of(fallocate(scene->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       at, length)));
		return;
	}
	say("truncate %ld = %ld", at / PAGE, error_of(ftruncate(scene->file, at)));
	say("truncate 32 = %ld", error_of(ftruncate(scene->file, 32 * PAGE)));
}

/* As a debugger writes, also where the process may not. */
static void step_debug(struct scene *scene, struct draw *from)
{
	struct range range = any_range(from);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	long done = 0;

	(void)scene;
	for (size_t at = 0; at < range.size && at < 4 * PAGE; at += PAGE)
		done += pwrite(fd, "", 1, (off_t)(uintptr_t)(range.start + at)) == 1;
	close(fd);
	say("/proc/self/mem %s = %ld", in_words(range), done);
}

const struct step memory_steps[] = {
	{ step_store, 14 },
	{ step_load, 4 },
	{ step_mprotect, 6 },
	{ step_madvise, 14 },
	{ step_collapse, 2 },
	{ step_renew, 2 },
	{ step_munmap, 3 },
	{ step_mremap, 4 },
	{ step_fork, 6 },
	{ step_soft_dirty, 2 },
	{ step_write_protect, 3 },
	{ step_scan, 3 },
	{ step_move, 3 },
	{ step_migrate, 4 },
	{ step_mbind, 2 },
	{ step_file, 4 },
	{ step_debug, 2 },
	{ NULL, 0 },
};
