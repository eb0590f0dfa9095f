// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What the life of a virtual machine costs, and a fork of the process that has one:
 * kvm stopped|running TIMES
 *
 * The machine has written to all its memory. "running": it goes on doing so in another thread.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MEMORY (17UL << 20)
#define CODE 0x1000

/* Writes a byte to each page from 1 MiB to 17 MiB, in real mode with segments of 4 GiB. */
static const unsigned char write_all[] = {
	0x66, 0xbf, 0x00, 0x00, 0x10, 0x00,		/*    mov edi, 0x100000 */
	0x67, 0x88, 0x07,				/* 1: mov [edi], al */
	0x66, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,	/*    add edi, 0x1000 */
	0x66, 0x81, 0xff, 0x00, 0x00, 0x10, 0x01,	/*    cmp edi, 0x1100000 */
	0x72, 0xed,					/*    jb 1b */
};

static const unsigned char halt[] = { 0xf4 };
static const unsigned char again[] = { 0xeb, 0xe5 };

static int kvm_fd, vcpu;
static struct kvm_run *state;

static int checked_ioctl(int fd, unsigned long request, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	need(result >= 0);
	return result;
}

static void set_segment(struct kvm_segment *segment)
{
	segment->base = 0;
	segment->selector = 0;
	segment->limit = 0xffffffff;
	segment->g = 1;
}

static void make_machine(char *memory)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY, .userspace_addr = (unsigned long)memory,
	};
	struct kvm_sregs sregs;
	int vm = checked_ioctl(kvm_fd, KVM_CREATE_VM, 0);
	int size = checked_ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	checked_ioctl(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region);
	vcpu = checked_ioctl(vm, KVM_CREATE_VCPU, 0);
	state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	need(state != MAP_FAILED);
	checked_ioctl(vcpu, KVM_GET_SREGS, (unsigned long)&sregs);
	set_segment(&sregs.cs);
	set_segment(&sregs.ds);
	checked_ioctl(vcpu, KVM_SET_SREGS, (unsigned long)&sregs);
}

static void *run(void *unused)
{
	(void)unused;
	for (;;)
		ioctl(vcpu, KVM_RUN, 0);
	return NULL;
}

/* Time of fork() in the parent; the child is gone when it returns. */
static unsigned long long fork_time(void)
{
	unsigned long long begin = now(), time;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	time = now() - begin;
	need(child > 0 && waitpid(child, NULL, 0) == child);
	return time;
}

static void write_from_start(unsigned char value)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rax = value };

	checked_ioctl(vcpu, KVM_SET_REGS, (unsigned long)&regs);
}

static void forks_while_stopped(const char *memory, int times)
{
	for (int i = 1; i <= times; i++) {
		/* Each page is written to, and mapped, anew after the fork before. */
		write_from_start(i);
		checked_ioctl(vcpu, KVM_RUN, 0);
		need(state->exit_reason == KVM_EXIT_HLT && memory[MEMORY - PAGE] == i);
		printf("sample kvm_fork machine=stopped %llu\n", fork_time());
	}
}

static void forks_while_running(const volatile char *memory, int times)
{
	pthread_t thread;

	write_from_start(1);
	need(pthread_create(&thread, NULL, run, NULL) == 0);
	while (memory[MEMORY - PAGE] != 1)
		usleep(1000);
	for (int i = 0; i < times; i++)
		printf("sample kvm_fork machine=running %llu\n", fork_time());
}

static void lives(int times)
{
	for (int i = 0; i < times; i++) {
		unsigned long long begin = now(), made;
		int vm = checked_ioctl(kvm_fd, KVM_CREATE_VM, 0);

		made = now();
		close(vm);
		printf("sample kvm_destroy %llu\n", now() - made);
		printf("sample kvm_create %llu\n", made - begin);
	}
}

int main(int argc, char **argv)
{
	bool running;
	char *memory;
	int times;

	need(argc == 3);
	running = !strcmp(argv[1], "running");
	times = atoi(argv[2]);
	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	need(kvm_fd >= 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	need(memory != MAP_FAILED && madvise(memory, MEMORY, MADV_NOHUGEPAGE) == 0);
	for (int i = 0; i < times; i++) {
		memset(memory, 0, MEMORY);
		printf("floor kvm_fork machine=%s %llu\n", argv[1], fork_time());
	}
	lives(times);
	memcpy(memory + CODE, write_all, sizeof(write_all));
	if (running)
		memcpy(memory + CODE + sizeof(write_all), again, sizeof(again));
	else
		memcpy(memory + CODE + sizeof(write_all), halt, sizeof(halt));
	make_machine(memory);
	if (running)
		forks_while_running(memory, times);
	else
		forks_while_stopped(memory, times);
	return 0;
}
