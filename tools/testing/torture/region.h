/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of a thread: regions of several kinds, and what the thread knows of each page. */
#ifndef TORTURE_REGION_H
#define TORTURE_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096UL
#define HUGE_PAGE (512 * PAGE)

enum kind {
	ANONYMOUS,
	UNMERGED,		/* anonymous, and never merged */
	TRANSPARENT,		/* anonymous, aligned for huge pages */
	SHARED,			/* shared memory */
	PRIVATE,		/* a private mapping of a file */
	DISK,			/* a shared mapping of a file that is written back */
	HUGETLB,		/* private */
	USERFAULT,		/* anonymous, missing pages and write protection in user space */
	KINDS
};

#define KIND(kind) (1U << (kind))
#define ALL_KINDS ((1U << KINDS) - 1)
/* What a write breaks the sharing of. */
#define ANONYMOUS_KINDS (KIND(ANONYMOUS) | KIND(UNMERGED) | KIND(TRANSPARENT) | KIND(USERFAULT))
#define PRIVATE_KINDS (ANONYMOUS_KINDS | KIND(PRIVATE) | KIND(HUGETLB))
#define FILE_KINDS (KIND(SHARED) | KIND(PRIVATE) | KIND(DISK))
#define SMALL_KINDS (ALL_KINDS & ~KIND(HUGETLB))

struct region_kind {
	enum kind kind;
	const char *name;
	unsigned int pages;
	unsigned int unit;	/* pages that are mapped and unmapped together */
};

#define REGIONS 8
extern const struct region_kind region_kind[REGIONS];

/* What the processor may do with a page. */
enum access { UNMAPPED, NO_ACCESS, READABLE, WRITABLE };

struct page {
	uint64_t value;		/* of its first word, the only one that is not zero */
	enum access access;
	bool known;		/* whether `value` is known */
};

struct region {
	enum kind kind;
	const char *name;
	char *base;
	unsigned int pages;
	int fd;			/* of the file, or -1 */
	int userfault;		/* its userfaultfd, or -1 */
	/* Odd while words may go back or vanish; in an even one they only grow. */
	_Atomic unsigned int epoch;
	/* Write protected through the userfaultfd, and not yet written to. */
	_Atomic bool *guarded;
	struct page *page;
};

/* The bytes of address space that a thread's regions take, and where each one begins. */
size_t region_arena_size(void);
size_t region_offset(unsigned int number);

/* Sets up region `number` in the arena; false with errno where the kernel has no such memory. */
bool region_create(struct region *region, unsigned int number, char *arena);

/* Maps pages that are not mapped. 0 or -errno. */
int region_map(struct region *region, unsigned int first, unsigned int count);

static inline char *region_address(const struct region *region, unsigned int page)
{
	return region->base + page * PAGE;
}

/* Finds the next run of pages in [*first, end) whose access is in [least, most]; its length. */
unsigned int region_run(const struct region *region, unsigned int *first, unsigned int end,
			enum access least, enum access most);

/* Does `work` to each such run; the last error, or 0. */
int region_for_runs(struct region *region, unsigned int first, unsigned int count,
		    enum access least, enum access most,
		    int (*work)(struct region *region, unsigned int first, unsigned int count,
				uint64_t argument),
		    uint64_t argument);

/* The contents went back to what they are without private changes. */
void region_reset(struct region *region, unsigned int first, unsigned int count);

void region_set_access(struct region *region, unsigned int first, unsigned int count,
		       enum access access);

#endif
