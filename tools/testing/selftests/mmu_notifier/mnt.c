// SPDX-License-Identifier: GPL-2.0
/* The driver's commands as functions, and its record as text. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mnt.h"

int mnt_open(void)
{
	return open("/dev/mmu_notifier_test", O_RDWR | O_CLOEXEC);
}

int mnt_register(int fd, unsigned int slot, unsigned int ops, unsigned int flags)
{
	struct mnt_add add = { .slot = slot, .ops = ops, .flags = flags };

	return ioctl(fd, MNT_REGISTER, &add);
}

int mnt_unregister(int fd, unsigned int slot)
{
	return ioctl(fd, MNT_UNREGISTER, slot);
}

int mnt_get(int fd, unsigned int slot, unsigned int ops, struct mnt_add *out)
{
	struct mnt_add mine;

	if (!out)
		out = &mine;
	*out = (struct mnt_add){ .slot = slot, .ops = ops, .flags = out == &mine ?
							   0 : out->flags };
	return ioctl(fd, MNT_GET, out);
}

int mnt_put(int fd, unsigned int slot)
{
	return ioctl(fd, MNT_PUT, slot);
}

int mnt_insert(int fd, unsigned int slot, const void *start, size_t length,
	       unsigned int flags)
{
	struct mnt_add add = {
		.slot = slot,
		.start = (uintptr_t)start,
		.length = length,
		.flags = flags,
	};

	return ioctl(fd, MNT_INSERT, &add);
}

int mnt_remove(int fd, unsigned int slot)
{
	return ioctl(fd, MNT_REMOVE, slot);
}

int mnt_read_begin(int fd, unsigned int slot, __u64 *seq)
{
	struct mnt_read read = { .slot = slot };
	int ret = ioctl(fd, MNT_READ_BEGIN, &read);

	*seq = read.seq;
	return ret;
}

int mnt_read_retry(int fd, unsigned int slot, __u64 seq)
{
	struct mnt_read read = { .slot = slot, .seq = seq };
	int ret = ioctl(fd, MNT_READ_RETRY, &read);

	return ret ? ret : (int)read.retry;
}

struct mnt_state mnt_state(int fd, unsigned int slot)
{
	struct mnt_state state = { .slot = slot };

	if (ioctl(fd, MNT_STATE, &state))
		perror("MNT_STATE");
	return state;
}

struct mnt_counts mnt_counts(int fd, unsigned int slot)
{
	struct mnt_counts counts = { .slot = slot };

	if (ioctl(fd, MNT_COUNTS, &counts))
		perror("MNT_COUNTS");
	return counts;
}

__u64 mnt_seen(int fd, unsigned int slot, unsigned int hook)
{
	return mnt_counts(fd, slot).seen[hook];
}

int mnt_wait_entered(int fd, unsigned int slot, unsigned int hook, __u64 count)
{
	struct mnt_wait wait = { .slot = slot, .hook = hook, .count = count };

	return ioctl(fd, MNT_WAIT, &wait);
}

void mnt_behave(int fd, unsigned int slot, const void *start, size_t length,
		struct mnt_behave behave)
{
	behave.slot = slot;
	behave.start = (uintptr_t)start;
	behave.end = length ? behave.start + length : UINT64_MAX;
	if (ioctl(fd, MNT_BEHAVE, &behave))
		perror("MNT_BEHAVE");
}

static const char *const hook_names[MNT_HOOKS] = {
	[MNT_RELEASE] = "release",
	[MNT_CLEAR_FLUSH_YOUNG] = "clear_flush_young",
	[MNT_CLEAR_YOUNG] = "clear_young",
	[MNT_TEST_YOUNG] = "test_young",
	[MNT_RANGE_START] = "start",
	[MNT_RANGE_END] = "end",
	[MNT_SECONDARY_TLBS] = "tlbs",
	[MNT_ALLOC] = "alloc",
	[MNT_FREE] = "free",
	[MNT_INVALIDATE] = "inv",
	[MNT_INVALIDATE_START] = "pass1",
	[MNT_INVALIDATE_FINISH] = "pass2",
};

static const char *const event_names[] = {
	"unmap", "clear", "protect", "protect_page", "soft_dirty", "release",
	"migrate", "exclusive",
};

static const char *command_name(unsigned int nr)
{
	switch (nr) {
	case _IOC_NR(MNT_REGISTER):
		return "registered";
	case _IOC_NR(MNT_UNREGISTER):
		return "unregistered";
	case _IOC_NR(MNT_GET):
		return "got";
	case _IOC_NR(MNT_PUT):
		return "put";
	case _IOC_NR(MNT_INSERT):
		return "inserted";
	case _IOC_NR(MNT_REMOVE):
		return "removed";
	case _IOC_NR(MNT_READ_BEGIN):
		return "read";
	}
	return "?";
}

size_t mnt_events(int fd, const struct mnt_event **events)
{
	static struct mnt_event buffer[MNT_EVENTS_MAX];
	struct mnt_drain drain = { .events = (uintptr_t)buffer };

	*events = buffer;
	if (ioctl(fd, MNT_DRAIN, &drain)) {
		perror("MNT_DRAIN");
		return 0;
	}
	if (drain.lost)
		fprintf(stderr, "# the record lost %u events\n", drain.lost);
	return drain.count;
}

struct text {
	char buffer[MNT_TRACE];
	size_t used;
};

static __attribute__((format(printf, 2, 3)))
void add_text(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->buffer) - text->used;
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(text->buffer + text->used, room, format, list);
	va_end(list);
	text->used += (size_t)n < room ? (size_t)n : room - 1;
}

static bool has_range(unsigned int hook)
{
	return hook != MNT_RELEASE && hook != MNT_ALLOC && hook != MNT_FREE &&
	       hook != MNT_RETURNED;
}

static bool refused(const struct mnt_event *event)
{
	bool says_true = event->hook == MNT_INVALIDATE ||
			 event->hook == MNT_INVALIDATE_START;

	return says_true ? event->phase == MNT_ENTER && !event->ret :
			   event->ret < 0;
}

static void add_event(struct text *text, const struct mnt_event *event,
		      const void *base)
{
	add_text(text, "%s%u.%s", text->used ? " " : "", event->slot,
		 event->hook == MNT_RETURNED ? command_name(event->event) :
					       hook_names[event->hook]);
	if (base && has_range(event->hook))
		add_text(text, "[%lld,%lld)",
			 (long long)(event->start - (uintptr_t)base) / (long long)PAGE,
			 (long long)(event->end - (uintptr_t)base) / (long long)PAGE);
	if (base && (event->hook == MNT_RANGE_START ||
		     event->hook == MNT_RANGE_END ||
		     event->hook == MNT_INVALIDATE ||
		     event->hook == MNT_INVALIDATE_START))
		add_text(text, "%s", event->event < 8 ? event_names[event->event] : "?");
	if ((event->hook == MNT_RANGE_START || event->hook == MNT_RANGE_END ||
	     event->hook == MNT_INVALIDATE ||
	     event->hook == MNT_INVALIDATE_START) && !event->blockable)
		add_text(text, "~");
	if (refused(event))
		add_text(text, "!");
	if (event->phase == MNT_LEAVE)
		add_text(text, "<");
}

const char *mnt_trace_ranges(int fd, const void *base)
{
	static struct text text;
	const struct mnt_event *events;
	size_t count = mnt_events(fd, &events);

	text.used = 0;
	text.buffer[0] = '\0';
	for (size_t i = 0; i < count; i++)
		add_event(&text, &events[i], base);
	return text.buffer;
}

const char *mnt_trace(int fd)
{
	return mnt_trace_ranges(fd, NULL);
}
