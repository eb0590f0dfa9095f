/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of /dev/xpmem as functions, and another process to export or
 * attach: it does what it is told. Commands return 0, or what they make, or
 * minus the errno.
 */
#ifndef XPMEM_USER_H
#define XPMEM_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xpmem.h"

#define XPMEM_DEVICE	"/dev/xpmem"
#define PAGE		4096UL
#define PAGES		16UL
#define SIZE		(PAGES * PAGE)

int xp_open(void);
int64_t xp_command(int fd, unsigned int command, void *arg);
int64_t xp_make(int fd, const void *start, size_t size, unsigned int mode);
int64_t xp_remove(int fd, int64_t segid);
int64_t xp_get(int fd, int64_t segid, int flags);
int64_t xp_release(int fd, int64_t apid);
/* The address, or minus the errno. */
int64_t xp_attach(int fd, int64_t apid, int64_t offset, size_t size, void *at);
int64_t xp_detach(int fd, const void *addr);

/* How many pages have entered attachments since the module was loaded, and have left. */
struct xp_pages {
	unsigned long long entered, left;
};

struct xp_pages xp_pages(void);
/* The number in /proc/xpmem/TGID; -1 if there is none. */
long xp_pages_of(pid_t tgid);

/* A load or store of a word: 0, or the signal that it got. */
int load(const void *from, uint64_t *word);
int store(void *to, uint64_t word);

/*
 * Another process. @arg is memory at the same address in both, for what
 * commands point at.
 */
struct peer {
	pid_t pid;
	int to, from;
	char *arg;
};

void peer_start(struct peer *peer);
/* It exits by itself; returns as child_wait(). */
int peer_exit(struct peer *peer);
/* It is killed. */
void peer_kill(struct peer *peer);
/* A system call; the result, or minus the errno. */
long peer_call(struct peer *peer, long number, ...);
/* The same in two parts, for a call that waits for something else. */
void peer_begin(struct peer *peer, long number, ...);
long peer_end(struct peer *peer);
int peer_load(struct peer *peer, const void *from, uint64_t *word);
int peer_store(struct peer *peer, void *to, uint64_t word);
/* It writes to the pages of an area, in turn, until it is killed. */
void peer_touch(struct peer *peer, void *area, size_t size);
/* The same, and discards the area each time. */
void peer_discard(struct peer *peer, void *area, size_t size);
/* It forks a child that waits to be killed, even if its parent goes; its pid. */
pid_t peer_fork(struct peer *peer);

int peer_open(struct peer *peer);
int64_t peer_make(struct peer *peer, int fd, const void *start, size_t size, unsigned int mode);
int64_t peer_remove(struct peer *peer, int fd, int64_t segid);
int64_t peer_get(struct peer *peer, int fd, int64_t segid, int flags);
int64_t peer_attach(struct peer *peer, int fd, int64_t apid, int64_t offset, size_t size,
		    void *at);
/* Memory of its own, with word_of() in each page. */
void *peer_map(struct peer *peer, size_t pages);
uint64_t word_of(size_t page);

/* Numbers that depend on the seed alone. */
uint64_t next_random(uint64_t *state);

#endif
