// SPDX-License-Identifier: GPL-2.0
/*
 * Does things that tracepoints and debugfs are to tell of, and says what it did. Between the steps
 * the suite looks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "fixture.h"
#include "talk.h"

#define OPS		(MNT_RANGE | MNT_BIT(MNT_RELEASE))
#define TIMES		3
/* Seconds, only to end what hangs: a takeover comes in between. */
#define LIMIT		280

/* Slots */
enum { WHOLE, INTERVAL, TWO_PASSES, COUNTED, TLBS };

static void subscribe(struct __test_metadata *_metadata, struct _test_data_notifier *self)
{
	ASSERT_DONE(mnt_register(self->fd, WHOLE, OPS, 0));
	ASSERT_DONE(mnt_insert(self->fd, INTERVAL, self->area, 2 * PAGE, 0));
	ASSERT_DONE(mnt_insert(self->fd, TWO_PASSES, self->area + 4 * PAGE, PAGE, MNT_TWO_PASS));
	ASSERT_DONE(mnt_get(self->fd, COUNTED, MNT_RANGE, NULL));
	ASSERT_DONE(mnt_register(self->fd, TLBS, MNT_BIT(MNT_SECONDARY_TLBS), 0));
}

static void say_counts(const char *when, int fd)
{
	struct mnt_counts whole = mnt_counts(fd, WHOLE);

	note("%s %llu %llu %llu", when, whole.starts + whole.ends,
	     mnt_seen(fd, INTERVAL, MNT_INVALIDATE),
	     mnt_seen(fd, TWO_PASSES, MNT_INVALIDATE_START) +
	     mnt_seen(fd, TWO_PASSES, MNT_INVALIDATE_FINISH));
}

/* What the counts are of from here on. */
static void change(struct __test_metadata *_metadata, struct _test_data_notifier *self)
{
	for (int i = 0; i < TIMES; i++)
		ASSERT_DONE(madvise(self->area, AREA * PAGE, MADV_DONTNEED));
	memset(self->area, 1, AREA * PAGE);
	ASSERT_DONE(mprotect(self->area + PAGE, PAGE, PROT_READ));
}

static void on_signal(int signal)
{
	(void)signal;
}

TEST_F_TIMEOUT(notifier, life, LIMIT)
{
	/* The locks are not taken. */
	signal(SIGUSR1, on_signal);
	ASSERT_FAILS(EINTR, mnt_register(self->fd, WHOLE, OPS, MNT_SIGUSR1));
	subscribe(_metadata, self);
	note("subscribed %d %lx", getpid(), (unsigned long)self->area);
	expect_word(_metadata, "change");

	say_counts("before", self->fd);
	change(_metadata, self);
	note("changed");
	expect_word(_metadata, "end");
	say_counts("after", self->fd);

	ASSERT_DONE(mnt_remove(self->fd, INTERVAL));
	ASSERT_DONE(mnt_remove(self->fd, TWO_PASSES));
	ASSERT_DONE(mnt_put(self->fd, COUNTED));
	ASSERT_DONE(mnt_unregister(self->fd, TLBS));
	ASSERT_DONE(mnt_unregister(self->fd, WHOLE));
	ASSERT_DONE(mnt_wait_entered(self->fd, COUNTED, MNT_FREE, 1));
	/* Where the last one was, another one begins anew. */
	ASSERT_DONE(mnt_register(self->fd, WHOLE, OPS, 0));
	note("again");
	expect_word(_metadata, "end");
	ASSERT_DONE(mnt_unregister(self->fd, WHOLE));
}

/* For the reader below: more intervals than the core looks at with its lock held once. */
#define SESSIONS	3
#define STAYING		(SESSIONS * (MNT_SLOTS - 1))
#define ROUNDS		150
#define FOLDER		"/sys/kernel/debug/mmu_notifier/"

struct reader {
	unsigned long area;
	_Atomic bool over;
	unsigned int rounds, wrong;
	char said[256];
};

/* Whether a line of names is followed by lines of as many fields; comm, the last, has no blank. */
static bool is_well_formed(char *text)
{
	unsigned int names = 0, fields;
	char *line, *rest = text, *at;

	while ((line = strsep(&rest, "\n")) && *line) {
		fields = 1;
		for (at = line; *at; at++)
			fields += *at == ' ';
		if (names && fields != names)
			return false;
		names = fields;
	}
	return names && line && !rest;
}

/* Nothing if it cannot be read to its end, which is no line of names. */
static char *contents(const char *path)
{
	size_t size = 1 << 20, length = 0;
	char *text = malloc(size);
	int fd = open(path, O_RDONLY);
	ssize_t got = -1;

	while (fd >= 0 && length < size - 1 &&
	       (got = read(fd, text + length, size - 1 - length)) > 0)
		length += got;
	text[got ? 0 : length] = '\0';
	close(fd);
	return text;
}

/* How many of those that stay are there once, and how many of them in all. */
static void count_staying(const char *text, unsigned long area, unsigned int *once,
			  unsigned int *all)
{
	unsigned char seen[STAYING] = {};
	unsigned long start;
	int pid;

	*once = *all = 0;
	for (const char *line = text; line && *line;
	     line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
		if (sscanf(line, "%d %*s %*s interval %lx", &pid, &start) != 2 ||
		    pid != getpid() || start < area || start >= area + STAYING * PAGE)
			continue;
		++*all;
		*once += !seen[(start - area) / PAGE]++;
	}
}

static long run_reader(void *arg)
{
	static const char *const others[] = { FOLDER "mode", FOLDER "stuck", FOLDER "totals" };
	struct reader *reader = arg;
	unsigned int once, all;
	char *text;

	for (; !reader->over || !reader->rounds; reader->rounds++) {
		text = contents(FOLDER "subscriptions");
		count_staying(text, reader->area, &once, &all);
		if (once != STAYING || all != STAYING || !is_well_formed(text)) {
			snprintf(reader->said, sizeof(reader->said),
				 "%u of %u there, in %u lines", once, STAYING, all);
			reader->wrong++;
		}
		free(text);
		text = contents(others[reader->rounds % 3]);
		reader->wrong += !is_well_formed(text);
		free(text);
	}
	return 0;
}

static long run_churn(void *arg)
{
	struct on_session {
		int fd;
		char *area;
	} *it = arg;

	for (int i = 0; i < ROUNDS; i++)
		if (mnt_insert(it->fd, 0, it->area, PAGE, 0) ||
		    madvise(it->area, PAGE, MADV_DONTNEED) || mnt_remove(it->fd, 0) ||
		    mnt_register(it->fd, 0, OPS, 0) ||
		    madvise(it->area, PAGE, MADV_DONTNEED) || mnt_unregister(it->fd, 0) ||
		    write_file(FOLDER "accounting", i % 2 ? "0" : "1"))
			return -1;
	return 0;
}

TEST_F_TIMEOUT(notifier, readers, LIMIT)
{
	/* Only an address: nothing is mapped there. */
	const unsigned long area = 1UL << 40;
	struct reader readers[2] = {};
	struct job jobs[2 + SESSIONS];
	struct {
		int fd;
		char *area;
	} sessions[SESSIONS];

	for (int i = 0; i < SESSIONS; i++) {
		sessions[i].fd = mnt_open();
		sessions[i].area = self->area + i * PAGE;
		ASSERT_LE(0, sessions[i].fd);
		for (int slot = 1; slot < MNT_SLOTS; slot++)
			ASSERT_DONE(mnt_insert(sessions[i].fd, slot,
					       (void *)(area + (i * (MNT_SLOTS - 1) + slot - 1) *
						       PAGE), PAGE, 0));
	}
	for (int i = 0; i < 2; i++) {
		readers[i].area = area;
		job_start(&jobs[i], run_reader, &readers[i]);
	}
	for (int i = 0; i < SESSIONS; i++)
		job_start(&jobs[2 + i], run_churn, &sessions[i]);
	for (int i = 0; i < SESSIONS; i++)
		EXPECT_EQ(0, job_join(&jobs[2 + i]));
	for (int i = 0; i < 2; i++)
		readers[i].over = true;
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, job_join(&jobs[i]));
		EXPECT_EQ(0, readers[i].wrong) TH_LOG("%s", readers[i].said);
		note("measured: read %u times", readers[i].rounds);
	}
	ASSERT_DONE(write_file(FOLDER "accounting", "0"));
	for (int i = 0; i < SESSIONS; i++)
		close(sessions[i].fd);
}

TEST_HARNESS_MAIN
