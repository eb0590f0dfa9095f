/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of /dev/gru as functions. They return 0 or the errno; those
 * that run instructions, the status of the instruction, which must be what
 * the ioctl returned.
 */
#ifndef GRU_USER_H
#define GRU_USER_H

#include <stddef.h>
#include <stdint.h>

#include "gru.h"

#define WORD	sizeof(uint64_t)

/* A context of a model, with a TLB of so many entries; -1 with errno. */
int gru_open(unsigned int model, unsigned int entries);
int gru_configure(int fd, unsigned int model, unsigned int entries);

/* Runs instructions; @done, if given, tells how many succeeded. */
int gru_run(int fd, struct gru_instruction *instructions, unsigned int count,
	    unsigned int *done);
int gru_copy(int fd, void *dst, const void *src, size_t length);
int gru_fill(int fd, void *dst, uint64_t value, size_t length);
int gru_gather(int fd, void *dst, const void *src, const uint64_t *index,
	       size_t words);
/* The word at @src as the TLB sees it. */
int gru_load(int fd, const void *src, uint64_t *value);

int gru_peek(int fd, const void *addr, void *buffer, size_t length);
int gru_flush(int fd);
struct gru_stats gru_stats(int fd);

/* Numbers that depend on the seed alone. */
uint64_t next_random(uint64_t *state);

#endif
