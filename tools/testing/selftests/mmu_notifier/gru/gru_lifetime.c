// SPDX-License-Identifier: GPL-2.0
/*
 * Whose memory a context works on, for how long, and from where it may be used.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "gru_fixture.h"

/* The memory is the opener's, the structures and buffers are the caller's. */
TEST_F(tlb, a_child_works_on_its_parents_memory)
{
	uint64_t *word = (uint64_t *)self->area;
	pid_t child;

	word[0] = 11;
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		uint64_t seen = 0;

		/* The child's own copies are not what the context sees. */
		word[0] = 22;
		word[1] = 22;
		if (gru_copy(self->fd, word + 1, word, WORD))
			_exit(1);
		if (word[1] != 22)
			_exit(2);
		if (gru_peek(self->fd, word + 1, &seen, WORD) || seen != 11)
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(child));
	EXPECT_EQ(11, word[0]);
	EXPECT_EQ(11, word[1]);
}

TEST_F(tlb, contexts_of_a_process_are_apart)
{
	int other = gru_open(variant->model, 1);
	char byte;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, gru_fill(self->fd, self->area, 1, WORD));
	EXPECT_EQ(ENODATA, gru_peek(other, self->area, &byte, 1));
	EXPECT_EQ(0, gru_stats(other).misses);
	ASSERT_EQ(0, gru_flush(other));
	EXPECT_EQ(0, gru_peek(self->fd, self->area, &byte, 1));
	close(other);
	EXPECT_EQ(0, gru_peek(self->fd, self->area, &byte, 1));
}

/* A process with a context, which it has used if it is told to. */
struct owner {
	unsigned int model;
	bool use;
	pid_t pid;
	int fd;		/* the context, of this process now */
	void *word;	/* where the owner has memory */
	int end;	/* to be closed for it to end */
};

static void own_context(struct owner *owner, int ready, int end)
{
	int fd = open("/dev/gru", O_RDWR);
	char c;

	owner->word = area_map(1);
	if (fd < 0 ||
	    (owner->use && (gru_configure(fd, owner->model, 8) ||
			    gru_fill(fd, owner->word, 1, WORD))))
		_exit(1);
	if (write(ready, &fd, sizeof(fd)) != sizeof(fd) ||
	    write(ready, &owner->word, sizeof(void *)) != sizeof(void *) ||
	    read(end, &c, 1) < 0)
		_exit(2);
	_exit(0);
}

static void start_owner(struct __test_metadata *_metadata, struct owner *owner)
{
	int ready[2], end[2], theirs, pidfd;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(end));
	owner->pid = fork();
	ASSERT_LE(0, owner->pid);
	if (!owner->pid) {
		close(end[1]);
		own_context(owner, ready[1], end[0]);
	}
	close(ready[1]);
	ASSERT_EQ(sizeof(theirs), read(ready[0], &theirs, sizeof(theirs)));
	ASSERT_EQ(sizeof(void *), read(ready[0], &owner->word, sizeof(void *)));
	pidfd = pidfd_open(owner->pid, 0);
	ASSERT_LE(0, pidfd);
	owner->fd = pidfd_getfd(pidfd, theirs, 0);
	ASSERT_LE(0, owner->fd) TH_LOG("pidfd_getfd: %s", strerror(errno));
	EXPECT_EQ(0, gru_stats(owner->fd).released);
	owner->end = end[1];
	close(pidfd);
}

static void expect_dead(struct __test_metadata *_metadata, int fd, void *word)
{
	struct gru_instruction fill = {
		.op = GRU_OP_FILL, .dst = (uintptr_t)word, .length = WORD,
	};
	struct gru_run run = { (uintptr_t)&fill, 1, 7 };
	uint64_t seen;

	EXPECT_EQ(1, gru_stats(fd).released);
	EXPECT_EQ(-1, ioctl(fd, GRU_RUN, &run));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(0, run.done);
	EXPECT_EQ(ESRCH, gru_peek(fd, word, &seen, WORD));
	EXPECT_EQ(ESRCH, gru_flush(fd));
}

TEST_F(tlb, the_owner_dies)
{
	struct owner owner = { variant->model, .use = true };
	struct gru_stats stats;

	start_owner(_metadata, &owner);
	close(owner.end);
	EXPECT_EQ(0, child_wait(owner.pid));
	expect_dead(_metadata, owner.fd, owner.word);
	EXPECT_EQ(EBUSY, gru_configure(owner.fd, variant->model, 8));
	stats = gru_stats(owner.fd);
	EXPECT_EQ(1, stats.drop_ins);
	/* What the owner's end dropped was not flushed. */
	EXPECT_EQ(0, stats.pages_flushed);
	close(owner.fd);
}

TEST_F(tlb, the_owner_dies_before_the_first_use)
{
	struct owner owner = { variant->model, .use = false };

	start_owner(_metadata, &owner);
	close(owner.end);
	EXPECT_EQ(0, child_wait(owner.pid));
	expect_dead(_metadata, owner.fd, owner.word);
	EXPECT_EQ(ESRCH, gru_configure(owner.fd, variant->model, 8));
	close(owner.fd);
}

/* Its end can come while another works on its memory. */
TEST_F(tlb, the_owner_dies_while_a_queue_runs)
{
	struct owner owner = { variant->model, .use = true };
	struct gru_instruction queue[64] = {};
	unsigned int done;
	int error;

	start_owner(_metadata, &owner);
	for (unsigned int i = 0; i < 64; i++)
		queue[i] = (struct gru_instruction){
			.op = GRU_OP_FILL, .dst = (uintptr_t)owner.word,
			.length = PAGE, .value = i,
		};
	ASSERT_EQ(0, gru_run(owner.fd, queue, 64, &done));
	ASSERT_EQ(0, kill(owner.pid, SIGKILL));
	do {
		error = gru_run(owner.fd, queue, 64, &done);
		ASSERT_EQ(!error, done == 64);
		gru_flush(owner.fd);
	} while (!error);
	/* Dying, its memory may be gone before it itself is. */
	EXPECT_TRUE(error == ESRCH || error == EFAULT) TH_LOG("%s", strerror(error));
	EXPECT_EQ(-SIGKILL, child_wait(owner.pid));
	expect_dead(_metadata, owner.fd, owner.word);
	close(owner.end);
	close(owner.fd);
}

/* A new program is a new address space. */
TEST_F(tlb, the_owner_executes_a_program)
{
	char number[16];
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		int fd = gru_open(variant->model, 8);
		char *page = area_map(1);

		if (fd < 0 || gru_fill(fd, page, 1, WORD) ||
		    fcntl(fd, F_SETFD, 0))
			_exit(1);
		snprintf(number, sizeof(number), "%d", fd);
		setenv("GRU_LEFT_OPEN", number, 1);
		execl("/proc/self/exe", "gru_lifetime", NULL);
		_exit(2);
	}
	EXPECT_EQ(0, child_wait(child));
}

/* The program that was executed. */
static __attribute__((constructor)) void look_at_what_was_left_open(void)
{
	const char *number = getenv("GRU_LEFT_OPEN");
	uint64_t seen;
	int fd;

	if (!number)
		return;
	fd = atoi(number);
	_exit(gru_stats(fd).released != 1 || gru_load(fd, &seen, &seen) != ESRCH);
}

TEST_HARNESS_MAIN
