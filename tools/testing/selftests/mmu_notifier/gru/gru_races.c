// SPDX-License-Identifier: GPL-2.0
/*
 * Threads change the memory, and what is behind its addresses, while the TLB
 * works on it: it sees and writes what the processor does, at any moment.
 */
#define _GNU_SOURCE
#include <string.h>

#include "gru_fixture.h"

/* Seconds after which a test hangs: they are to run on busy machines, too. */
#define LIMIT	120

struct churn {
	_Atomic bool end;
	_Atomic unsigned int forks;
};

#define ACCESSES	1500
#define ACCESSES_LEAST	50
#define FORKS_LEAST	20
#define FORKS_MOST	100

/* Where a kernel watches itself, an access waits for a whole fork; then forks count. */
static bool enough(const struct churn *churn, unsigned int accesses)
{
	unsigned int forks = churn->forks;

	return forks >= FORKS_LEAST && accesses >= ACCESSES_LEAST &&
	       (forks >= FORKS_MOST || accesses >= ACCESSES);
}

static void stay(void *arg __attribute__((unused)))
{
	for (;;)
		pause();
}

/* The child holds a page of each fork, so that the next write is a copy. */
static long fork_all_the_time(void *arg)
{
	struct churn *churn = arg;
	pid_t kept = 0;

	while (!churn->end) {
		pid_t child = child_start(stay, NULL);

		if (kept) {
			kill(kept, SIGKILL);
			child_wait(kept);
		}
		kept = child;
		churn->forks++;
	}
	if (kept) {
		kill(kept, SIGKILL);
		child_wait(kept);
	}
	return 0;
}

struct counter {
	_Atomic uint64_t *word;
	_Atomic bool end;
};

static long count_up(void *arg)
{
	struct counter *counter = arg;

	while (!counter->end)
		(*counter->word)++;
	return 0;
}

/*
 * A thread counts up in a word whose page is replaced all the time. What the
 * TLB loads lies between what the processor saw before and after.
 */
TEST_F_TIMEOUT(tlb, a_word_that_counts, LIMIT)
{
	_Atomic uint64_t *word = (void *)self->area;
	struct counter counter = { .word = word };
	struct churn churn = {};
	struct job counting, forking;
	uint64_t seen;

	*word = 1;
	job_start(&counting, count_up, &counter);
	job_start(&forking, fork_all_the_time, &churn);
	for (unsigned int i = 0; !enough(&churn, i); i++) {
		uint64_t before = *word, after;

		ASSERT_EQ(0, gru_load(self->fd, (void *)word, &seen));
		after = *word;
		ASSERT_LE(before, seen);
		ASSERT_GE(after, seen);
	}
	churn.end = true;
	counter.end = true;
	EXPECT_EQ(0, job_join(&forking));
	job_join(&counting);
	note("%u forks, %llu drop-ins", churn.forks,
	     (unsigned long long)gru_stats(self->fd).drop_ins);
}

/* And what it stores, the processor sees at once. */
TEST_F_TIMEOUT(tlb, a_word_that_is_stored, LIMIT)
{
	volatile uint64_t *word = (void *)self->area;
	struct churn churn = {};
	struct job forking;

	job_start(&forking, fork_all_the_time, &churn);
	for (unsigned int i = 1; !enough(&churn, i); i++) {
		ASSERT_EQ(0, gru_fill(self->fd, (void *)word, i, WORD));
		ASSERT_EQ(i, *word);
	}
	churn.end = true;
	EXPECT_EQ(0, job_join(&forking));
	note("%u forks, %llu drop-ins", churn.forks,
	     (unsigned long long)gru_stats(self->fd).drop_ins);
}

static long turn_over(void *arg)
{
	struct counter *counter = arg;

	while (!counter->end)
		*counter->word = ~*counter->word;
	return 0;
}

#define COPIES	512
#define ROUNDS	200

/* A word that another thread writes is copied whole, wherever it lies in a copy. */
TEST_F_TIMEOUT(tlb, words_are_whole, LIMIT)
{
	struct gru_instruction queue[COPIES] = {};
	_Atomic uint64_t *word = (void *)(self->area + 2 * PAGE - WORD);
	uint64_t *copies = (void *)(self->area + 4 * PAGE);
	struct counter counter = { .word = word };
	unsigned int seen[2] = {}, done;
	struct job turning;

	*word = 0;
	for (unsigned int i = 0; i < COPIES; i++)
		queue[i] = (struct gru_instruction){
			.op = i % 2 ? GRU_OP_COPY : GRU_OP_GATHER,
			.dst = (uintptr_t)&copies[2 * i],
			/* With a part of the word before it, and one index, 0. */
			.src = i % 2 ? (uintptr_t)word - 3 : (uintptr_t)word,
			.length = i % 2 ? WORD + 3 : 1,
			.value = i % 2 ? 0 : (uintptr_t)self->area,
		};
	for (unsigned int i = 1; i < COPIES; i += 2)
		queue[i].dst += WORD - 3;
	memset(self->area, 0, WORD);
	job_start(&turning, turn_over, &counter);
	for (unsigned int round = 0; round < ROUNDS || !seen[0] || !seen[1]; round++) {
		ASSERT_EQ(0, gru_run(self->fd, queue, COPIES, &done));
		for (unsigned int i = 0; i < COPIES; i++) {
			uint64_t copy = copies[2 * i + i % 2];

			ASSERT_TRUE(!copy || !~copy) TH_LOG("%#lx", copy);
			seen[!copy]++;
		}
	}
	counter.end = true;
	job_join(&turning);
}

struct dropper {
	int fd;
	char *from;
	_Atomic bool end;
};

static long drop_in_all_the_time(void *arg)
{
	struct dropper *dropper = arg;
	uint64_t value;

	while (!dropper->end)
		if (gru_flush(dropper->fd) ||
		    gru_load(dropper->fd, dropper->from, &value))
			return -1;
	return 0;
}

#define REPLACEMENTS	250

/*
 * Another thread drops the page in all the time, and meets its replacement now
 * and then, between having looked it up and having entered it: in one of a few
 * rounds, or of a thousand where the kernel watches itself.
 */
TEST_F_TIMEOUT(tlb, a_page_that_is_replaced, LIMIT)
{
	struct dropper dropper = { .fd = self->fd, .from = self->area };
	volatile uint64_t *word = (void *)self->area;
	struct gru_stats stats;
	struct job dropping;
	uint64_t n = 0;

	job_start(&dropping, drop_in_all_the_time, &dropper);
	do {
		uint64_t seen = 0;

		ASSERT_DONE(madvise(self->area, PAGE, MADV_DONTNEED));
		*word = ++n;
		ASSERT_EQ(0, gru_load(self->fd, self->area, &seen));
		ASSERT_EQ(n, seen);
		stats = gru_stats(self->fd);
	} while (n < REPLACEMENTS || !stats.refused);
	dropper.end = true;
	EXPECT_EQ(0, job_join(&dropping));
	note("%llu replacements, %llu drop-ins, %llu refused",
	     (unsigned long long)n, (unsigned long long)stats.drop_ins,
	     (unsigned long long)stats.refused);
}

TEST_HARNESS_MAIN
