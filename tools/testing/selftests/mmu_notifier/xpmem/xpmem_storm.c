// SPDX-License-Identifier: GPL-2.0
/* Processes that attach each other and change what they export, all at once. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "xpmem_expect.h"

#define MEMBERS	3
#define STEPS	150

/* What the members know of each other. */
struct meeting {
	int64_t segids[MEMBERS];
	int arrived;
};

struct member {
	struct meeting *meeting;
	int number, fd;
	char *area;
	char *there[MEMBERS];
};

/* Waits until all members are here, for the @nth time. */
static void meet(struct meeting *meeting, int nth)
{
	__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&meeting->arrived, __ATOMIC_SEQ_CST) < nth * MEMBERS)
		sched_yield();
}

static void *touch(void *arg)
{
	struct member *member = arg;
	uint64_t seed = 100 + member->number, word;

	for (int step = 0; step < STEPS * 4; step++) {
		uint64_t which = next_random(&seed);
		char *at = member->there[which % MEMBERS] + (which >> 8) % PAGES * PAGE;

		if (which & 16)
			store(at, word_of(step));
		else
			load(at, &word);
	}
	return NULL;
}

static void *change(void *arg)
{
	struct member *member = arg;
	uint64_t seed = 200 + member->number;
	pid_t child;

	for (int step = 0; step < STEPS; step++) {
		uint64_t which = next_random(&seed);
		char *at = member->area + (which >> 8) % PAGES * PAGE;

		switch (which % 6) {
		case 0:
			madvise(at, PAGE, MADV_DONTNEED);
			break;
		case 1:
			madvise(member->area, SIZE, MADV_DONTNEED);
			break;
		case 2:
			mprotect(at, PAGE, PROT_READ);
			mprotect(member->area, SIZE, PROT_READ | PROT_WRITE);
			break;
		case 3:
			mmap(at, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 4:
			child = fork();
			if (!child)
				_exit(0);
			waitpid(child, NULL, 0);
			break;
		case 5:
			/* An attachment comes and goes beside. */
			{
				int64_t apid = xp_get(member->fd, member->meeting->segids[which >> 8
						      & 1], XPMEM_RDWR);
				int64_t addr = xp_attach(member->fd, apid, 0, SIZE, NULL);

				if (addr > 0)
					store((void *)addr, word_of(step));
				xp_release(member->fd, apid);
			}
		}
	}
	return NULL;
}

/* Each process's whole life. Ends with the number of what went wrong. */
static int take_part(struct meeting *meeting, int number)
{
	struct member member = { .meeting = meeting, .number = number, .fd = xp_open() };
	pthread_t threads[2];

	member.area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	meeting->segids[number] = xp_make(member.fd, member.area, SIZE, 0600);
	meet(meeting, 1);
	/* Itself included. */
	for (int other = 0; other < MEMBERS; other++) {
		int64_t apid = xp_get(member.fd, meeting->segids[other], XPMEM_RDWR);

		member.there[other] = (char *)xp_attach(member.fd, apid, 0, SIZE, NULL);
		if ((int64_t)member.there[other] <= 0)
			return 1;
	}
	meet(meeting, 2);
	if (pthread_create(&threads[0], NULL, touch, &member) ||
	    pthread_create(&threads[1], NULL, change, &member))
		return 2;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	meet(meeting, 3);
	/* When the storm is over, each sees what the others have. */
	for (size_t page = 0; page < PAGES; page++)
		if (store(member.area + page * PAGE, word_of(page) * (number + 1)))
			return 3;
	meet(meeting, 4);
	for (int other = 0; other < MEMBERS; other++)
		for (size_t page = 0; page < PAGES; page++) {
			uint64_t word;

			if (load(member.there[other] + page * PAGE, &word))
				return 4;
			if (word != word_of(page) * (other + 1))
				return 5;
		}
	meet(meeting, 5);
	return 0;
}

/* For the time that the tests may take on a busy machine. */
FIXTURE(storm) {
};

FIXTURE_SETUP(storm)
{
}

FIXTURE_TEARDOWN(storm)
{
}

TEST_F_TIMEOUT(storm, mutual_attachments, 240)
{
	struct meeting *meeting = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct xp_pages before = xp_pages(), after;
	pid_t children[MEMBERS];
	int status;

	for (int i = 0; i < MEMBERS; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(take_part(meeting, i));
	}
	for (int i = 0; i < MEMBERS; i++) {
		ASSERT_EQ(children[i], waitpid(children[i], &status, 0));
		EXPECT_EQ(0, status);
		/* The others would wait for it. */
		if (status)
			for (int other = i + 1; other < MEMBERS; other++)
				kill(children[other], SIGKILL);
	}
	after = xp_pages();
	EXPECT_LT(before.entered, after.entered);
	EXPECT_EQ(after.entered - before.entered, after.left - before.left);
}

/* While one process attaches and detaches in many threads, the exporter changes its memory. */
static int fd;
static int64_t apid;
static char *area;

static void *come_and_go(void *arg)
{
	uint64_t seed = (uintptr_t)arg, word;

	for (int step = 0; step < STEPS; step++) {
		int64_t offset = next_random(&seed) % PAGES * PAGE;
		int64_t addr = xp_attach(fd, apid, offset, SIZE - offset, NULL);

		if (addr <= 0)
			return (void *)addr;
		if (next_random(&seed) % 2)
			load((void *)addr, &word);
		else
			store((void *)addr, step);
		if (next_random(&seed) % 2)
			munmap((void *)addr, SIZE - offset);
		else
			xp_detach(fd, (void *)addr);
	}
	return NULL;
}

TEST_F_TIMEOUT(storm, attach_and_detach, 240)
{
	struct xp_pages before = xp_pages(), after;
	pthread_t threads[3];
	void *ret;

	fd = xp_open();
	ASSERT_LE(0, fd);
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	apid = xp_get(fd, xp_make(fd, area, SIZE, 0600), XPMEM_RDWR);
	ASSERT_LT(0, apid);
	for (uintptr_t i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)));
	for (int step = 0; step < STEPS; step++)
		madvise(area, SIZE, MADV_DONTNEED);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		EXPECT_EQ(NULL, ret);
	}
	close(fd);
	after = xp_pages();
	EXPECT_EQ(after.entered - before.entered, after.left - before.left);
}

TEST_HARNESS_MAIN
