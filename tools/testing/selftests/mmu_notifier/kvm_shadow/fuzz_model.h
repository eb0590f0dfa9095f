/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fuzz_kvm_shadow knows: the slots and their logs, what the process's
 * pages hold and allow; and its random numbers, from the seed alone.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdarg.h>

#include "ks.h"

#define AREA_PAGES	24
#define AREA_SIZE	(AREA_PAGES * PAGE)
#define MAX_LENGTH	(3 * PAGE)

#define RW		(PROT_READ | PROT_WRITE)

/* All guest memory lies below this, as does what is asked for beside it. */
#define GUEST_PAGES	64

/* So few that each is set, and asked about, often. */
#define USED_SLOTS	4

struct slot {
	bool there;
	__u64 guest;	/* these three in pages, from GUEST on and from the area on */
	__u64 pages;
	__u64 user;
	unsigned int flags;
	bool dirty[AREA_PAGES];
};

/* The process's pages: what they hold, and what may be done to them. */
static unsigned char content[AREA_SIZE];
static int rights[AREA_PAGES];
static struct slot slots[KVM_SHADOW_SLOTS];

static char *area;
static char *nowhere;
static int vm;
static __u64 seed, state;
static unsigned long done, succeeded;

static __u64 number(__u64 below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static bool one_in(__u64 n)
{
	return !number(n);
}

static void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list list;

	printf("# operation %lu: ", done);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	ksft_test_result_fail("fuzz_kvm_shadow\n");
	ksft_finished();
}

/* A call returned @ret; the model says it fails so, or 0. */
static void judge(const char *what, int ret, int error)
{
	int got = ret ? errno : 0;

	if (got != error)
		wrong("%s: %s, expected %s", what, got ? strerrorname_np(got) : "success",
		      error ? strerrorname_np(error) : "success");
	succeeded += !ret;
}

static void compare(const char *what, const void *got, const void *wanted, size_t length)
{
	const unsigned char *a = got, *b = wanted;

	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			wrong("%s: byte %zu is %#x, expected %#x", what, i, a[i], b[i]);
}

static struct slot *slot_at(__u64 guest)
{
	for (struct slot *slot = slots; slot < slots + KVM_SHADOW_SLOTS; slot++)
		if (slot->there && guest >= GUEST_PAGE(slot->guest) &&
		    guest < GUEST_PAGE(slot->guest + slot->pages))
			return slot;
	return NULL;
}

/* The offset in the area of a guest address that some slot has. */
static size_t offset_of(__u64 guest)
{
	struct slot *slot = slot_at(guest);

	return guest - GUEST_PAGE(slot->guest) + slot->user * PAGE;
}

static int check_guest(__u64 guest, __u64 length, bool writes)
{
	if (!length || guest + length < guest)
		return EINVAL;
	for (__u64 at = guest; at < guest + length; at = (at | (PAGE - 1)) + 1) {
		struct slot *slot = slot_at(at);

		if (!slot)
			return ENXIO;
		if (writes && slot->flags & KVM_SHADOW_READONLY)
			return EPERM;
	}
	return 0;
}

/* Mostly in a slot, else around the slots, at times far away. */
static __u64 some_guest(void)
{
	static const __u64 far[] = { 0, PAGE, 1UL << 47, 1UL << 63, ~0UL, ~0UL - PAGE + 1 };
	const struct slot *slot = slots + number(USED_SLOTS);
	__u64 page = number(GUEST_PAGES);

	if (one_in(30))
		return far[number(sizeof(far) / sizeof(far[0]))];
	while (!slot->there && !one_in(4))
		slot = slots + number(USED_SLOTS);
	if (slot->there && !one_in(8))
		page = slot->guest + number(slot->pages);
	return GUEST_PAGE(page) + (one_in(2) ? 0 : number(PAGE));
}

static __u64 some_length(void)
{
	static const __u64 odd[] = { 0, 1, 8, PAGE, ~0UL, 1UL << 63 };

	if (one_in(10))
		return odd[number(sizeof(odd) / sizeof(odd[0]))];
	return 1 + number(one_in(5) ? MAX_LENGTH : 64);
}

static void mark_dirty(size_t page)
{
	for (struct slot *slot = slots; slot < slots + KVM_SHADOW_SLOTS; slot++)
		if (slot->there && slot->flags & KVM_SHADOW_LOG_DIRTY && page >= slot->user &&
		    page < slot->user + slot->pages)
			slot->dirty[page - slot->user] = true;
}

static bool overlaps(const struct slot *a, const struct slot *b)
{
	return a->guest < b->guest + b->pages && b->guest < a->guest + a->pages;
}

/* What becomes of a slot that is wanted, all numbers of which are in order. */
static int set_slot(unsigned int which, struct slot wanted)
{
	struct slot *old = slots + which;

	if (old->there) {
		if (old->guest != wanted.guest || old->pages != wanted.pages ||
		    old->user != wanted.user ||
		    (old->flags ^ wanted.flags) & KVM_SHADOW_READONLY)
			return EEXIST;
		if (!(old->flags & KVM_SHADOW_LOG_DIRTY))
			memset(old->dirty, 0, sizeof(old->dirty));
		old->flags = wanted.flags;
		return 0;
	}
	for (struct slot *slot = slots; slot < slots + KVM_SHADOW_SLOTS; slot++)
		if (slot->there && overlaps(slot, &wanted))
			return EEXIST;
	*old = wanted;
	return 0;
}

#endif
