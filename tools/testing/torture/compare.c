// SPDX-License-Identifier: GPL-2.0
#include "compare.h"

#include <errno.h>

#include "cpu.h"

static bool is_refusal(int result)
{
	return result == -EFAULT || result == -EPERM;
}

/* test_hmm gives up when its pages are in motion for long, or out of memory of its own. */
static bool is_busy(int result)
{
	return result == -EBUSY || result == -EAGAIN || result == -EINTR || result == -ENOMEM;
}

static void stale(struct thread *thread, char *address, uint64_t cpu, unsigned int secondary,
		  uint64_t seen, const char *what)
{
	report_stale(&thread->place, address, cpu, secondary_classes[secondary]->name, seen, what);
}

static bool uses(struct thread *thread, unsigned int secondaries, unsigned int number)
{
	return secondaries & 1U << number && secondary_is_open(&thread->secondary[number]);
}

/* An errno that no rule of the interface accounts for. */
static void check_errno(struct thread *thread, unsigned int number, int result)
{
	if (is_busy(result))
		shared->secondary[number].busy++;
	else
		report_broken(&thread->place, secondary_classes[number]->name, -result);
}

struct held {
	bool present[SECONDARIES];
	uint64_t value[SECONDARIES];
};

static void peek(struct thread *thread, char *address, unsigned int secondaries, struct held *held)
{
	for (unsigned int number = 0; number < SECONDARIES; number++) {
		struct secondary *secondary = &thread->secondary[number];
		int result;

		held->present[number] = false;
		if (!uses(thread, secondaries, number) || !secondary->class->peek)
			continue;
		result = secondary->class->peek(secondary, address, &held->value[number],
						thread->bounce);
		held->present[number] = result == 0;
		if (result == 0)
			shared->secondary[number].present++;
		else if (result == -ENODATA)
			shared->secondary[number].absent++;
		else
			check_errno(thread, number, result);
	}
}

static void judge(struct thread *thread, char *address, bool readable, uint64_t cpu,
		  const struct held *held)
{
	for (unsigned int number = 0; number < SECONDARIES; number++) {
		if (!held->present[number])
			continue;
		shared->comparisons++;
		if (!readable)
			stale(thread, address, NO_VALUE, number, held->value[number],
			      "holds a page that the processor cannot read");
		else if (held->value[number] != cpu)
			stale(thread, address, cpu, number, held->value[number],
			      "holds another value than the processor reads");
	}
}

void compare_held(struct thread *thread, struct region *region, unsigned int number,
		  unsigned int secondaries)
{
	struct page *page = &region->page[number];
	char *address = region_address(region, number);
	struct held held;
	uint64_t cpu = NO_VALUE;
	bool readable;

	thread->place.page = number;
	/* First: the processor's read may fault the page in, and change what is held. */
	peek(thread, address, secondaries, &held);
	readable = cpu_read(address, &cpu);
	judge(thread, address, readable, cpu, &held);
	if (!readable || shared->over)
		return;
	if (page->known && page->value != cpu)
		report_stale(&thread->place, address, cpu, "cpu", page->value,
			     "the processor does not read what was written last");
	page->value = cpu;
	page->known = true;
}

void compare_nothing(struct thread *thread, char *address, unsigned int secondaries)
{
	struct held held;

	peek(thread, address, secondaries, &held);
	judge(thread, address, false, NO_VALUE, &held);
	for (unsigned int number = 0; number < SECONDARIES; number++) {
		struct secondary *secondary = &thread->secondary[number];
		uint64_t value = NO_VALUE;

		if (!uses(thread, secondaries, number) || shared->over)
			continue;
		shared->comparisons++;
		if (!secondary->class->read(secondary, address, &value, thread->bounce))
			stale(thread, address, NO_VALUE, number, value,
			      "reads where nothing is mapped");
	}
}

/* Through the secondary, faulting in. */
static void compare_read(struct thread *thread, struct region *region, unsigned int number,
			 unsigned int which)
{
	struct secondary *secondary = &thread->secondary[which];
	char *address = region_address(region, number);
	uint64_t cpu = NO_VALUE, value = NO_VALUE;
	bool readable = cpu_read(address, &cpu);
	int result = secondary->class->read(secondary, address, &value, thread->bounce);

	shared->comparisons++;
	if (result == 0) {
		shared->secondary[which].reads++;
		if (!readable)
			stale(thread, address, NO_VALUE, which, value,
			      "reads what the processor cannot");
		else if (value != cpu)
			stale(thread, address, cpu, which, value,
			      "reads another value than the processor");
	} else if (!is_refusal(result)) {
		check_errno(thread, which, result);
	} else if (!readable) {
		shared->secondary[which].refused++;
	} else {
		stale(thread, address, cpu, which, NO_VALUE,
		      "is refused what the processor can read");
	}
}

static bool write_and_judge(struct thread *thread, struct region *region, unsigned int number,
			    unsigned int which, uint64_t value)
{
	struct secondary *secondary = &thread->secondary[which];
	char *address = region_address(region, number);
	bool writable = region->page[number].access == WRITABLE;
	bool guarded = region->guarded[number];
	uint64_t cpu = NO_VALUE;
	int result = secondary->class->write(secondary, address, value, thread->bounce);

	shared->comparisons++;
	if (result && !is_refusal(result)) {
		check_errno(thread, which, result);
		return false;
	}
	if (result) {
		shared->secondary[which].refused++;
		/* A device need not wait for user space to allow it. */
		if (writable && !guarded)
			stale(thread, address, value, which, NO_VALUE,
			      "is refused a write that the processor may do");
		return false;
	}
	shared->secondary[which].writes++;
	if (!writable)
		stale(thread, address, NO_VALUE, which, value,
		      "writes where the processor may not");
	else if (region->guarded[number])
		stale(thread, address, NO_VALUE, which, value,
		      "writes without the userfaultfd being asked");
	else if (!cpu_read(address, &cpu) || cpu != value)
		stale(thread, address, cpu, which, value,
		      "writes what the processor does not see");
	return true;
}

bool compare_write(struct thread *thread, struct region *region, unsigned int number,
		   unsigned int which)
{
	struct page *page = &region->page[number];
	bool forgets = secondary_classes[which]->forgets_dirty, done;
	uint64_t value = thread_next_value(thread);

	thread->place.page = number;
	/* Or the page could be reclaimed as it was before, until the processor makes it dirty. */
	if (forgets)
		pthread_rwlock_rdlock(&shared->reclaim);
	done = write_and_judge(thread, region, number, which, value);
	if (forgets) {
		if (done && !shared->over)
			cpu_write(region_address(region, number), value);
		pthread_rwlock_unlock(&shared->reclaim);
	}
	if (done) {
		page->value = value;
		page->known = true;
	}
	return done;
}

void compare_store(struct thread *thread, struct region *region, unsigned int number)
{
	struct page *page = &region->page[number];
	uint64_t value;

	if (page->access != WRITABLE)
		return;
	value = thread_next_value(thread);
	page->known = cpu_write(region_address(region, number), value);
	page->value = value;
}

/* Among those that are open; SECONDARIES if none is. */
static unsigned int choose(struct thread *thread, unsigned int wish)
{
	for (unsigned int turn = 0; turn < SECONDARIES; turn++) {
		unsigned int number = (wish + turn) % SECONDARIES;

		if (secondary_is_open(&thread->secondary[number]))
			return number;
	}
	return SECONDARIES;
}

/* Beyond the end of its file a mapped page is not for writing. */
static bool may_write(struct region *region, unsigned int page)
{
	uint64_t value;

	return region->page[page].access == WRITABLE &&
	       cpu_read(region_address(region, page), &value);
}

void compare_prime(struct thread *thread, struct region *region, const struct step *step)
{
	if (step->prime == PRIME_NOTHING)
		return;
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i];

		thread->place.page = page;
		for (unsigned int number = 0; number < SECONDARIES; number++) {
			if (!uses(thread, step->secondaries, number) || shared->over)
				continue;
			if (step->prime == PRIME_WRITE && may_write(region, page))
				compare_write(thread, region, page, number);
			else
				compare_read(thread, region, page, number);
		}
	}
}

void compare_sample(struct thread *thread, struct region *region, const struct step *step)
{
	unsigned int writer = choose(thread, step->writer);

	/* All that is held first: reading and writing replaces it. */
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++)
		compare_held(thread, region, step->sample[i], ~0U);
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i];

		thread->place.page = page;
		for (unsigned int number = 0; number < SECONDARIES && !shared->over; number++)
			if (uses(thread, step->secondaries, number))
				compare_read(thread, region, page, number);
	}
	for (unsigned int i = 0; i < SAMPLE && !shared->over; i++) {
		unsigned int page = step->sample[i];

		if (writer < SECONDARIES &&
		    (region->page[page].access != WRITABLE || may_write(region, page)))
			compare_write(thread, region, page, writer);
		if (!shared->over)
			compare_held(thread, region, page, ~0U);
	}
}

void compare_concurrently(struct thread *owner, unsigned int which, uint64_t random,
			  struct bounce *bounce)
{
	struct region *region = &owner->region[random % REGIONS];
	struct secondary *secondary = &owner->secondary[which];
	unsigned int page = (random >> 16) % region->pages, epoch = region->epoch;
	char *address = region_address(region, page);
	uint64_t before, value, after;
	int result;
	bool peek = secondary->class->peek && random >> 63;

	if (epoch & 1 || !secondary_is_open(secondary) || !cpu_read(address, &before))
		return;
	result = (peek ? secondary->class->peek : secondary->class->read)(secondary, address,
									  &value, bounce);
	if (result || !cpu_read(address, &after) || region->epoch != epoch)
		return;
	shared->comparisons++;
	shared->secondary[which].concurrent++;
	if (before <= value && value <= after)
		return;
	report_stale(&(struct place){
			.thread = owner->number, .step = owner->place.step,
			.operation = "concurrently", .region = region->name, .page = page,
		     }, address, before, secondary->class->name, value,
		     value < before ? "is behind the processor" : "is ahead of the processor");
}
