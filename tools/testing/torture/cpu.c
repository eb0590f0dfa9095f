// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "cpu.h"

#include <signal.h>
#include <stddef.h>
#include <ucontext.h>
#include <unistd.h>

/*
 * bool cpu_read(const void *address, uint64_t *value);
 * bool cpu_write(void *address, uint64_t value);
 *
 * A fault at one of the two accesses goes on at cpu_fault.
 */
__asm__(
	".text\n"
	".globl cpu_read, cpu_write\n"
	"cpu_read:\n"
	"cpu_read_access: mov (%rdi), %rax\n"
	"	mov %rax, (%rsi)\n"
	"	mov $1, %eax\n"
	"	ret\n"
	"cpu_write:\n"
	"cpu_write_access: mov %rsi, (%rdi)\n"
	"	mov $1, %eax\n"
	"	ret\n"
	"cpu_fault:\n"
	"	xor %eax, %eax\n"
	"	ret\n");

extern const char cpu_read_access[], cpu_write_access[], cpu_fault[];

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	greg_t *where = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)info;
	if (*where == (greg_t)cpu_read_access || *where == (greg_t)cpu_write_access)
		*where = (greg_t)cpu_fault;
	else
		/* Happens again on return, and is the end then. */
		signal(signal_number, SIG_DFL);
}

void cpu_prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}
