/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two secondary MMUs over the memory of the test's process, one of each
 * model: a machine of /dev/kvm_shadow, which follows the range pair and the
 * aging hooks, and a context of /dev/gru in the TLB-flush model.
 *
 * A test maps its area, touches it, does what reaches the call site, and then
 * asks whether what the devices hold agrees with what the processor sees:
 *
 *	secondary_map(area, SIZE);
 *	secondary_touch(area, SIZE);
 *	madvise(area, SIZE, MADV_DONTNEED);
 *	secondary_dropped(area, SIZE);
 *	secondary_agrees(area, SIZE);
 *
 * All of these are assertions of the harness, which a test includes itself,
 * kselftest_harness.h; it can be in one object only. Addresses and lengths are whole
 * pages. Each test of the harness is a process of its own, so it starts with
 * no device open; a process made by fork() that wants translations of its own
 * memory calls secondary_reopen() first. The guest zeroes what it frees, so
 * that a translation that outlived its page reads zeros.
 */
#ifndef COVERAGE_SECONDARY_H
#define COVERAGE_SECONDARY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE	4096UL
#define HUGE	(512 * PAGE)

#define ASSERT_DONE(call) \
	ASSERT_EQ(0, call) TH_LOG("%s", strerror(errno))

#define ASSERT_RIGHT(call) do {				\
	const char *wrong = (call);			\
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);	\
} while (0)

/* Opens the devices if need be and shows [area, area + size) to them. */
#define secondary_map(area, size) \
	ASSERT_RIGHT(secondary_try_map(area, size))

/* Stores a word of its own in every word of the area, with the processor. */
#define secondary_fill(area, size) \
	ASSERT_RIGHT(secondary_try_fill(area, size))

/*
 * Makes both devices hold translations of every page: writable ones, or
 * read-only ones where writing is not allowed. Changes no content, but is a
 * write to the page for the VM.
 */
#define secondary_touch(area, size) \
	ASSERT_RIGHT(secondary_try_touch(area, size, true))

/* The same, without writing: the page may stay shared, clean or not copied. */
#define secondary_touch_read(area, size) \
	ASSERT_RIGHT(secondary_try_touch(area, size, false))

/*
 * What the devices hold now is what the processor sees or nothing; what they
 * find by looking it up is what the processor sees, and fails where it
 * faults; what the one writes the others read, and nobody may write where the
 * processor may not. Overwrites the last 16 bytes of each page, unless it is
 * the one that only reads.
 */
#define secondary_agrees(area, size) \
	ASSERT_RIGHT(secondary_try_agrees(area, size, true))
#define secondary_agrees_on_reads(area, size) \
	ASSERT_RIGHT(secondary_try_agrees(area, size, false))

/* The machine of the range model holds no translation of the area. */
#define secondary_dropped(area, size) \
	ASSERT_RIGHT(secondary_try_dropped(area, size))

/* The TLB of the flush model holds no translation of the area. */
#define secondary_flushed(area, size) \
	ASSERT_RIGHT(secondary_try_flushed(area, size))

/* The machine holds no writable translation of the area. */
#define secondary_protected(area, size) \
	ASSERT_RIGHT(secondary_try_protected(area, size))

/* KVM_SHADOW_PRESENT, _WRITABLE, _YOUNG, _DIRTY of a page; -1 for an error. */
int secondary_state(const void *page);

/* Forgets the devices, which are of another process's memory. */
void secondary_reopen(void);

/* The open devices, to hand them to another process; opened if need be, else -1. */
int secondary_vm(void);
int secondary_tlb(void);

/* Works on devices that another process has opened, over its memory. */
void secondary_adopt(int vm, int tlb);

/* A read without looking anything up: 0 or errno (ENODATA: holds nothing). */
int secondary_vm_peek(const void *addr, size_t length, void *buffer);
int secondary_tlb_peek(const void *addr, size_t length, void *buffer);

/* Through the device, looking up what it lacks: 0 or errno. */
int secondary_vm_read(const void *addr, size_t length, void *buffer);
int secondary_vm_write(void *addr, size_t length, const void *buffer);
int secondary_tlb_read(const void *addr, size_t length, void *buffer);
int secondary_tlb_write(void *addr, uint64_t word);

/* With the processor; false when it faults. */
bool cpu_read(const void *addr, size_t length, void *buffer);
bool cpu_write(void *addr, uint64_t word);

/* What the macros call; NULL, or what is wrong. */
const char *secondary_try_map(void *area, size_t size);
const char *secondary_try_fill(void *area, size_t size);
const char *secondary_try_touch(void *area, size_t size, bool writing);
const char *secondary_try_agrees(void *area, size_t size, bool writing);
const char *secondary_try_dropped(void *area, size_t size);
const char *secondary_try_flushed(void *area, size_t size);
const char *secondary_try_protected(void *area, size_t size);

#endif
