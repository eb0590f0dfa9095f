/* SPDX-License-Identifier: GPL-2.0 */
/* The secondary MMUs: each reads and writes words of this process's memory by its own tables. */
#ifndef TORTURE_SECONDARIES_H
#define TORTURE_SECONDARIES_H

#include <stddef.h>
#include <stdint.h>

#include "region.h"

/* What a caller lends for the transfer: memory that fork() shares. One user at a time. */
struct bounce {
	union {
		char bytes[PAGE];
		uint64_t word;
	} out, in;
#define DEVICE_PAGES 64
	char device[DEVICE_PAGES][PAGE];	/* for moving pages to a device and back */
};

struct secondary {
	const struct secondary_class *class;
	int fd;
	char *arena;
};

/* All return 0 or -errno. */
struct secondary_class {
	const char *name;
	/* For the memory of the calling process at [arena, arena + size). */
	int (*open)(struct secondary *secondary, size_t size);
	/* What it holds now; -ENODATA if nothing. NULL where it cannot tell. */
	int (*peek)(struct secondary *secondary, char *address, uint64_t *value,
		    struct bounce *bounce);
	/* Fault the page in where needed. -EFAULT or -EPERM without the right to. */
	int (*read)(struct secondary *secondary, char *address, uint64_t *value,
		    struct bounce *bounce);
	int (*write)(struct secondary *secondary, char *address, uint64_t value,
		     struct bounce *bounce);
	void (*close)(struct secondary *secondary);
	/* Writes to a page without telling the kernel that it is dirty. */
	bool forgets_dirty;
};

#define SECONDARIES 5
extern const struct secondary_class *const secondary_classes[SECONDARIES];

/* Which of them stand where. */
enum { KVM_SHADOW_AT, GRU_RANGE_AT, GRU_FLUSH_AT, DMIRROR_AT, XPMEM_AT };

/* Opens number `which`; an unopened one, which nothing is done with, has fd -1. */
void secondary_open(struct secondary *secondary, unsigned int which, char *arena, size_t size);

static inline bool secondary_is_open(const struct secondary *secondary)
{
	return secondary->fd >= 0;
}

void secondary_close(struct secondary *secondary);

extern const struct secondary_class kvm_shadow, gru_range, gru_flush, dmirror, xpmem;

#endif
