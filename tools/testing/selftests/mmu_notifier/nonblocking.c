// SPDX-License-Identifier: GPL-2.0
/*
 * Starts that must not sleep, as the OOM reaper makes them; process_mrelease()
 * is the same code by system call. Its victim must be dying and still have its
 * mm: one of its threads is held in the driver, deaf to signals, meanwhile.
 */
#define _GNU_SOURCE
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "fixture.h"

struct victim {
	int fd;
	char *area;
	void (*subscribe)(struct victim *victim);
	int ready;
};

static void be_victim(void *arg)
{
	struct victim *victim = arg;

	victim->subscribe(victim);
	if (write(victim->ready, "", 1) != 1)
		_exit(1);
	ioctl(victim->fd, MNT_HOLD, 0);
}

/*
 * Lets a child subscribe and hold, kills it, reaps its memory and returns what
 * process_mrelease() said; the child's end is still to come.
 */
static pid_t start_victim(struct __test_metadata *_metadata,
			  struct _test_data_notifier *self,
			  void (*subscribe)(struct victim *))
{
	struct victim victim = { self->fd, self->area, subscribe, 0 };
	int ready[2];
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(ready));
	victim.ready = ready[1];
	child = child_start(be_victim, &victim);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_TRUE(child_blocks(child, "mnt_"));
	ASSERT_EQ(0, kill(child, SIGKILL));
	mnt_trace(self->fd);
	return child;
}

static int reap(pid_t child)
{
	int pidfd = pidfd_open(child, 0);
	int ret = pidfd < 0 ? -1 : (int)syscall(SYS_process_mrelease, pidfd, 0);
	int error = errno;

	close(pidfd);
	return ret ? error : 0;
}

static void end_victim(struct __test_metadata *_metadata,
		       struct _test_data_notifier *self, pid_t child)
{
	ASSERT_DONE(ioctl(self->fd, MNT_LET_GO, 0));
	EXPECT_EQ(-SIGKILL, child_wait(child));
}

static void three(struct victim *it)
{
	mnt_register(it->fd, 0, MNT_RANGE, 0);
	mnt_register(it->fd, 1, MNT_BIT(MNT_RANGE_START), 0);
	mnt_register(it->fd, 2, MNT_RANGE, 0);
}

TEST_F(notifier, nobody_objects)
{
	pid_t child = start_victim(_metadata, self, three);

	EXPECT_EQ(0, reap(child));
	EXPECT_STREQ("2.start~ 1.start~ 0.start~ 2.end~ 0.end~",
		     mnt_trace(self->fd));
	end_victim(_metadata, self, child);
}

/*
 * The second of three objects: the third is asked nevertheless, and those that
 * have an end get it.
 */
TEST_F(notifier, the_second_of_three_says_eagain)
{
	pid_t child = start_victim(_metadata, self, three);

	BEHAVE(1, .eagain = MNT_BIT(MNT_RANGE_START));
	EXPECT_EQ(EAGAIN, reap(child));
	EXPECT_STREQ("2.start~ 1.start~! 0.start~ 2.end~ 0.end~",
		     mnt_trace(self->fd));
	for (int slot = 0; slot < 3; slot += 2) {
		EXPECT_EQ(0, mnt_counts(self->fd, slot).orphans);
		EXPECT_EQ(0, mnt_counts(self->fd, slot).open);
	}
	end_victim(_metadata, self, child);
}

static void intervals_and_refusal(struct victim *it)
{
	mnt_register(it->fd, 0, MNT_BIT(MNT_RANGE_START), 0);
	for (int slot = 1; slot <= 3; slot++)
		mnt_insert(it->fd, slot, it->area + slot * PAGE, PAGE, 0);
}

static void intervals(struct victim *it)
{
	mnt_register(it->fd, 0, MNT_RANGE, 0);
	for (int slot = 1; slot <= 3; slot++)
		mnt_insert(it->fd, slot, it->area + slot * PAGE, PAGE, 0);
}

/*
 * An interval that objects ends the walk; the list is not even asked, and the
 * sequence is released at once.
 */
TEST_F(notifier, an_interval_says_eagain)
{
	pid_t child = start_victim(_metadata, self, intervals);
	struct mnt_state before = mnt_state(self->fd, 1), after;
	__u64 seq;

	BEHAVE(2, .eagain = MNT_BIT(MNT_INVALIDATE));
	EXPECT_EQ(EAGAIN, reap(child));
	EXPECT_STREQ("1.inv~ 2.inv~!", mnt_trace(self->fd));
	after = mnt_state(self->fd, 1);
	EXPECT_EQ(0, after.active_invalidate_ranges);
	EXPECT_EQ(0, after.invalidate_seq & 1);
	EXPECT_LT(before.invalidate_seq, after.invalidate_seq);
	EXPECT_EQ(before.invalidate_seq + 1, after.sub_seq);
	ASSERT_DONE(mnt_read_begin(self->fd, 1, &seq));

	BEHAVE(2, .eagain = 0);
	mnt_trace(self->fd);
	EXPECT_EQ(0, reap(child));
	EXPECT_STREQ("1.inv~ 2.inv~ 3.inv~ 0.start~ 0.end~", mnt_trace(self->fd));
	EXPECT_EQ(1, mnt_read_retry(self->fd, 1, seq));
	end_victim(_metadata, self, child);
}

static void passes(struct victim *it)
{
	mnt_register(it->fd, 0, MNT_RANGE, 0);
	for (int slot = 1; slot <= 4; slot++)
		mnt_insert(it->fd, slot, it->area + slot * PAGE, PAGE,
			   MNT_TWO_PASS);
}

/*
 * Those that were started are finished, in that order; the one that objected
 * is not, even if it asked for a finish pass.
 */
TEST_F(notifier, a_start_pass_says_eagain)
{
	pid_t child = start_victim(_metadata, self, passes);

	BEHAVE(3, .eagain = MNT_BIT(MNT_INVALIDATE_START));
	EXPECT_EQ(EAGAIN, reap(child));
	EXPECT_STREQ("1.pass1~ 2.pass1~ 3.pass1~! 1.pass2 2.pass2",
		     mnt_trace(self->fd));
	BEHAVE(3, .eagain = MNT_BIT(MNT_INVALIDATE_START),
	       .flags = MNT_FINISH_AND_FAIL);
	EXPECT_EQ(EAGAIN, reap(child));
	EXPECT_STREQ("1.pass1~ 2.pass1~ 3.pass1~! 1.pass2 2.pass2",
		     mnt_trace(self->fd));
	EXPECT_EQ(0, mnt_state(self->fd, 1).active_invalidate_ranges);
	EXPECT_EQ(0, mnt_state(self->fd, 1).invalidate_seq & 1);
	end_victim(_metadata, self, child);
}

/*
 * The list objects after the intervals agreed. The caller will not end what it
 * was not allowed to start, so the core itself must take the intervals' start
 * back. The C core forgets it: its sequence stays odd for ever, and whoever
 * then reads or removes an interval of this mm sleeps for ever.
 */
TEST_F(notifier, the_list_says_eagain_after_the_intervals)
{
	pid_t child = start_victim(_metadata, self,
				   intervals_and_refusal);
	unsigned int left_open = c_may_err() ? 1 : 0;
	struct mnt_state state;

	BEHAVE(0, .eagain = MNT_BIT(MNT_RANGE_START));
	EXPECT_EQ(EAGAIN, reap(child));
	EXPECT_STREQ("1.inv~ 2.inv~ 3.inv~ 0.start~!",
		     mnt_trace(self->fd));
	state = mnt_state(self->fd, 1);
	EXPECT_EQ(left_open, state.active_invalidate_ranges) TH_LOG("the range stays active");
	EXPECT_EQ(left_open, state.invalidate_seq & 1);
	EXPECT_EQ(left_open, ioctl(self->fd, MNT_REPAIR, 1));
	end_victim(_metadata, self, child);
}

TEST_HARNESS_MAIN
