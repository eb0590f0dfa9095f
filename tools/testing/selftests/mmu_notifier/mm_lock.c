// SPDX-License-Identifier: GPL-2.0
/*
 * Registration takes every lock of the mm's mappings. Processes that register
 * at the same time and share mappings must agree on an order, and whatever was
 * taken must be given back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "harness.h"

FIXTURE(mm_lock) {
	int fd;
};

FIXTURE_SETUP(mm_lock)
{
	self->fd = mnt_open();
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/mmu_notifier_test: load the module");
}

FIXTURE_TEARDOWN(mm_lock)
{
	ioctl(self->fd, MNT_OPEN_ALL, 0);
	close(self->fd);
}

#define FILES	300
#define ROUNDS	400
#define SYNC	50

/* get and put again and again: registration without the wait of unregister. */
static void register_often(unsigned int slot)
{
	int fd = mnt_open();

	for (int round = 1; round <= ROUNDS; round++) {
		if (mnt_get(fd, slot, MNT_RANGE, NULL) || mnt_put(fd, slot))
			_exit(1);
		if (round % SYNC == 0 && ioctl(fd, MNT_SYNCHRONIZE, 0) < 0)
			_exit(2);
	}
}

struct crowd {
	int files[FILES];
	char *pages;
	bool backwards;
	pthread_barrier_t *together;
};

static pthread_barrier_t *shared_barrier(unsigned int count)
{
	pthread_barrierattr_t attributes;
	pthread_barrier_t *barrier;

	barrier = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(barrier, &attributes, count);
	return barrier;
}

static void map_files_and_register(void *arg)
{
	struct crowd *crowd = arg;
	char *area = mmap(NULL, 2 * FILES * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < FILES; i++) {
		int file = crowd->files[crowd->backwards ? FILES - 1 - i : i];

		if (mmap(area + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
			_exit(3);
	}
	pthread_barrier_wait(crowd->together);
	register_often(0);
}

/*
 * Two processes map the same files in opposite order and register all the
 * time. Locks taken in the order of the VMAs would stop both within moments.
 */
TEST_F(mm_lock, the_same_files_in_opposite_order)
{
	struct crowd crowd = { .together = shared_barrier(2) };
	pid_t children[2];

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES + 100, FILES + 100 });
	for (int i = 0; i < FILES; i++) {
		crowd.files[i] = memory_file(1, 0);
		ASSERT_LE(0, crowd.files[i]);
	}
	for (int i = 0; i < 2; i++) {
		crowd.backwards = i;
		children[i] = child_start(map_files_and_register, &crowd);
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, child_wait(children[i]));
}

static void turn_pages_and_register(void *arg)
{
	struct crowd *crowd = arg;
	char *area = mmap(NULL, 2 * FILES * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; crowd->backwards && i < FILES; i++)
		if (mremap(crowd->pages + 2 * i * PAGE, PAGE, PAGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   area + 2 * (FILES - 1 - i) * PAGE) == MAP_FAILED)
			_exit(3);
	pthread_barrier_wait(crowd->together);
	register_often(0);
}

/* The same for anonymous memory, whose locks are shared through fork. */
TEST_F(mm_lock, the_same_anon_vmas_in_opposite_order)
{
	struct crowd crowd = { .together = shared_barrier(2) };
	pid_t children[2];

	crowd.pages = mmap(NULL, 2 * FILES * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, crowd.pages);
	/* One VMA and one anon_vma for each page: none is mergeable. */
	for (int i = 0; i < FILES; i++) {
		char *page = crowd.pages + 2 * i * PAGE;

		ASSERT_DONE(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
		*page = 1;
	}
	for (int i = 0; i < 2; i++) {
		crowd.backwards = i;
		children[i] = child_start(turn_pages_and_register, &crowd);
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, child_wait(children[i]));
}

/* Many VMAs of few files and one anon_vma: each lock is taken once, not twice. */
TEST_F(mm_lock, one_lock_behind_many_vmas)
{
	int files[4], huge;
	char *anon = area_map(64);

	for (int i = 0; i < 4; i++)
		files[i] = memory_file(64, 0);
	/* Repeats follow each other for the first half, and then do not. */
	for (int i = 0; i < 64; i++)
		ASSERT_NE(MAP_FAILED, mmap(NULL, PAGE, PROT_READ,
					   i % 2 ? MAP_SHARED : MAP_PRIVATE,
					   files[i < 32 ? 0 : i % 4],
					   (63 - i) * PAGE));
	for (int i = 0; i < 64; i += 2)
		ASSERT_DONE(mprotect(anon + i * PAGE, PAGE, PROT_READ));
	ASSERT_DONE(write_file("/proc/sys/vm/nr_hugepages", "8"));
	huge = memory_file(4, MFD_HUGETLB);
	ASSERT_LE(0, huge);
	for (int i = 0; i < 4; i++)
		ASSERT_NE(MAP_FAILED, mmap(NULL, 2UL << 20, PROT_READ | PROT_WRITE,
					   MAP_SHARED, huge, (3 - i) * (2L << 20)));
	for (int round = 0; round < 3; round++) {
		ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
		ASSERT_DONE(mnt_unregister(self->fd, 0));
	}
	/* Both kinds of lock are free again. */
	for (int i = 0; i < 4; i++)
		ASSERT_DONE(ftruncate(files[i], 0));
	ASSERT_DONE(ftruncate(huge, 0));
	ASSERT_DONE(munmap(anon, 64 * PAGE));
}

#define MANY	60000

static char *map_many(void)
{
	char *area = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || madvise(area, MANY * PAGE, MADV_NOHUGEPAGE))
		return NULL;
	area[0] = 1;
	for (size_t i = 1; i < MANY; i += 2)
		if (mprotect(area + i * PAGE, PAGE, PROT_READ))
			return NULL;
	return area;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

TEST_F_TIMEOUT(mm_lock, sixty_thousand_vmas, 60)
{
	double begin;
	char *area;

	if (write_file("/proc/sys/vm/max_map_count", "70000"))
		SKIP(return, "max_map_count: %s", strerror(errno));
	area = map_many();
	ASSERT_NE(NULL, area);
	begin = seconds();
	ASSERT_DONE(mnt_register(self->fd, 0, MNT_RANGE, 0));
	note("registered with %d VMAs in %.3f s", MANY, seconds() - begin);
	mnt_behave(self->fd, 0, area, PAGE, (struct mnt_behave){});
	mnt_trace(self->fd);
	ASSERT_DONE(madvise(area, PAGE, MADV_DONTNEED));
	EXPECT_STREQ("0.start 0.end", mnt_trace(self->fd));
	ASSERT_DONE(mnt_unregister(self->fd, 0));
}

static void on_signal(int signal)
{
	(void)signal;
}

struct held {
	int fd;
	int ready;
	int file;
	char *area;
};

static void register_while_held(void *arg)
{
	struct held *it = arg;
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	if (mnt_register(it->fd, 0, MNT_RANGE, 0) ||
	    write(it->ready, "", 1) != 1 ||
	    mnt_wait_entered(it->fd, 0, MNT_RANGE_START, 1))
		_exit(1);
	if (mnt_register(it->fd, 1, MNT_RANGE, 0) != -1 || errno != EINTR)
		_exit(2);
	if (mnt_state(it->fd, 0).subscriptions != 1)
		_exit(3);
	/* Takes the file's lock, also from one who has it already. */
	if (munmap(it->area, PAGE))
		_exit(5);
	if (mnt_register(it->fd, 1, MNT_RANGE, 0) ||
	    mnt_state(it->fd, 0).subscriptions != 2)
		_exit(4);
}

/*
 * The signal comes while registration holds some locks and sleeps on one that
 * is taken. It gives back what it has, and says EINTR.
 */
TEST_F(mm_lock, a_signal_comes_in_the_middle)
{
	int ready[2], other = memory_file(1, 0);
	struct held held = { .fd = self->fd, .file = memory_file(4, 0) };
	pid_t child, truncating;
	char c;

	ASSERT_EQ(0, pipe(ready));
	held.ready = ready[1];
	held.area = area_map_file(held.file, 4);
	area_map_file(other, 1);
	mnt_behave(self->fd, 0, held.area, 4 * PAGE, (struct mnt_behave){
			   .gates = MNT_BIT(MNT_RANGE_START) });
	child = child_start(register_while_held, &held);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	truncating = fork();
	if (!truncating)
		_exit(ftruncate(held.file, 0) != 0);
	ASSERT_TRUE(child_blocks(child, "mnt_register"));
	ASSERT_EQ(0, kill(child, SIGUSR1));
	ASSERT_DONE(ioctl(self->fd, MNT_OPEN, 0));
	ASSERT_EQ(0, child_wait(truncating));
	EXPECT_EQ(0, child_wait(child));
	ASSERT_DONE(ftruncate(other, 0));
	ASSERT_DONE(munmap(held.area, PAGE));
}

struct rounds {
	int go;
	int said;
};

static long long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void signal_in(long long us)
{
	struct itimerval timer = {
		.it_value = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * Registers each time it is told to, and says how that went. If it is told so,
 * a signal comes within the time that the last undisturbed one took.
 */
static void register_when_told(void *arg)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct rounds *rounds = arg;
	long long begin, took = 1;
	int fd = mnt_open();
	char c, disturbed;

	sigaction(SIGALRM, &action, NULL);
	if (!map_many() || write(rounds->said, "m", 1) != 1)
		_exit(1);
	while (read(rounds->go, &disturbed, 1) == 1) {
		if (disturbed)
			signal_in(1 + rand() % took);
		begin = microseconds();
		c = !mnt_get(fd, 0, MNT_RANGE, NULL) ? 'r' :
		    errno == EINTR ? 'i' : 'e';
		signal_in(0);
		if (!disturbed)
			took = microseconds() - begin;
		if (mnt_state(fd, MNT_SLOTS).subscriptions != (c == 'r'))
			c = 'l';
		if (c == 'r' && mnt_put(fd, 0))
			c = 'p';
		if (write(rounds->said, &c, 1) != 1)
			_exit(2);
	}
}

#define FEWEST	24
/* By chance none may come while the locks are being taken. */
#define MOST	(8 * FEWEST)

/*
 * In every other round a signal comes, at any time: it is registered then or
 * it is not. In the rounds between it is, so nothing was left locked.
 */
TEST_F_TIMEOUT(mm_lock, signals_come_at_all_times, 60)
{
	int go[2], said[2], interrupted = 0, round;
	pid_t child;
	char c;

	if (write_file("/proc/sys/vm/max_map_count", "70000"))
		SKIP(return, "max_map_count: %s", strerror(errno));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	ASSERT_EQ(0, pipe(said));
	child = child_start(register_when_told, &(struct rounds){ go[0], said[1] });
	ASSERT_EQ(1, read(said[0], &c, 1));
	ASSERT_EQ('m', c);
	for (round = 0; round <= FEWEST || !(round % 2) || (!interrupted && round < MOST);
	     round++) {
		char disturbed = round % 2;

		ASSERT_EQ(1, write(go[1], &disturbed, 1));
		ASSERT_EQ(1, read(said[0], &c, 1));
		if (disturbed) {
			ASSERT_TRUE(c == 'r' || c == 'i') TH_LOG("%c", c);
			interrupted += c == 'i';
		} else {
			ASSERT_EQ('r', c);
		}
	}
	note("%d of %d registrations interrupted", interrupted, round / 2);
	EXPECT_LT(0, interrupted);
	kill(child, SIGKILL);
	child_wait(child);
}

TEST_HARNESS_MAIN
