// SPDX-License-Identifier: GPL-2.0
/* Threads that are seen to block, children, memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mnt.h"

static void give_up(const char *what)
{
	perror(what);
	abort();
}

static void *job_main(void *arg)
{
	struct job *job = arg;

	job->tid = gettid();
	job->ret = job->fn(job->arg);
	job->error = errno;
	job->done = true;
	return NULL;
}

void job_start(struct job *job, long (*fn)(void *arg), void *arg)
{
	*job = (struct job){ .fn = fn, .arg = arg };
	errno = pthread_create(&job->thread, NULL, job_main, job);
	if (errno)
		give_up("pthread_create");
}

long job_join(struct job *job)
{
	pthread_join(job->thread, NULL);
	errno = job->error;
	return job->ret;
}

/* Without malloc: the caller's mm may be locked by the very task it looks at. */
static ssize_t read_proc(pid_t tgid, pid_t tid, const char *name, char *buffer,
			 size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", tgid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buffer, size - 1);
	close(fd);
	if (n >= 0)
		buffer[n] = '\0';
	return n;
}

/*
 * Not by stat or status, which pin the mm for a moment: if its task exits just
 * then, the reader is the one to tear the mm down, and to sleep in it.
 */
static bool sleeps_in(pid_t tgid, pid_t tid, const char *where)
{
	char wchan[64], stack[4096];

	return read_proc(tgid, tid, "wchan", wchan, sizeof(wchan)) > 0 &&
	       strcmp(wchan, "0") &&
	       read_proc(tgid, tid, "stack", stack, sizeof(stack)) > 0 &&
	       strstr(stack, where);
}

bool job_blocks(struct job *job, const char *where)
{
	for (; !job->done; sched_yield())
		if (job->tid && sleeps_in(getpid(), job->tid, where))
			return true;
	return false;
}

static bool child_ended(pid_t child)
{
	siginfo_t info = {};

	return waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

bool child_blocks(pid_t child, const char *where)
{
	for (; !child_ended(child); sched_yield())
		if (sleeps_in(child, child, where))
			return true;
	return false;
}

/* Only to end what hangs. */
#define STEP_SECONDS	20

bool job_goes_on(struct job *job, _Atomic unsigned int *steps)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	const int pauses = STEP_SECONDS * 100;
	unsigned int seen = 0;
	int left = pauses;

	for (; !job->done && left; left--) {
		if (steps && *steps != seen) {
			seen = *steps;
			left = pauses;
		}
		nanosleep(&pause, NULL);
	}
	return job->done;
}

void grace_periods(void)
{
	for (int i = 0; i < 3; i++)
		if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			give_up("membarrier");
}

long run_command(void *command)
{
	struct command *it = command;

	return ioctl(it->fd, it->cmd, it->arg);
}

long run_madvise(void *advice)
{
	struct advice *it = advice;

	return madvise(it->start, it->length, it->advice);
}

pid_t child_start(void (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child < 0)
		give_up("fork");
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	fn(arg);
	_exit(0);
}

int child_wait(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		if (errno != EINTR)
			give_up("waitpid");
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int memory_file(size_t pages, unsigned int flags)
{
	int file = memfd_create("mmu_notifier_test", flags);
	size_t unit = flags & MFD_HUGETLB ? 2UL << 20 : PAGE;

	if (file >= 0 && ftruncate(file, (off_t)(pages * unit))) {
		close(file);
		return -1;
	}
	return file;
}

/* Between two pages of no access, which nothing that may be read merges with. */
static void *map_fenced(int file, size_t pages)
{
	int flags = MAP_FIXED | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	char *fence, *area;

	fence = mmap(NULL, (pages + 2) * PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fence == MAP_FAILED)
		give_up("mmap");
	area = mmap(fence + PAGE, pages * PAGE, PROT_READ | PROT_WRITE, flags, file, 0);
	if (area == MAP_FAILED)
		give_up("mmap");
	if (file < 0)
		madvise(area, pages * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		area[i * PAGE] = 1;
	return area;
}

void *area_map(size_t pages)
{
	return map_fenced(-1, pages);
}

void *area_map_file(int file, size_t pages)
{
	return map_fenced(file, pages);
}

void area_unmap(void *area, size_t pages)
{
	munmap((char *)area - PAGE, (pages + 2) * PAGE);
}

static char first_char(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '\0';

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = '\0';
	close(fd);
	return c;
}

#define PATCH	"/sys/kernel/livepatch/mmu_notifier_rust/"

bool c_serves(void)
{
	/* A core that is built in has no livepatch. */
	if (access("/sys/kernel/livepatch", F_OK))
		return !rust_serves_alone();
	/* During a transition each task has its own core. */
	if (first_char(PATCH "transition") == '1')
		return first_char("/proc/self/patch_state") != '1';
	return first_char(PATCH "enabled") != '1';
}

bool c_may_err(void)
{
	return c_serves() && !getenv("MNT_STRICT");
}

bool rust_serves_alone(void)
{
	return first_char("/sys/module/mmu_notifier_rust/parameters/mode") == 'n';
}

void note(const char *format, ...)
{
	va_list list;

	printf("# ");
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	fflush(stdout);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}
