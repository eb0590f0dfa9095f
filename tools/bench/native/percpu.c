// SPDX-License-Identifier: GPL-2.0
/* The per-CPU variables of the one CPU, as arch/x86 defines them. */

#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include <asm/current.h>
#include <asm/preempt.h>
#include <asm/smp.h>

#include "scene.h"

static struct task_struct *task;

DEFINE_PER_CPU_CACHE_HOT(struct task_struct *, current_task);
DEFINE_PER_CPU_CACHE_HOT(unsigned long, __preempt_count) = INIT_PREEMPT_COUNT;
DEFINE_PER_CPU_CACHE_HOT(unsigned long, cpu_current_top_of_stack);
DEFINE_PER_CPU_CACHE_HOT(unsigned long, __stack_chk_guard);
DEFINE_PER_CPU_CACHE_HOT(int, cpu_number);
DEFINE_PER_CPU_CACHE_HOT(unsigned long, this_cpu_off);

unsigned long __per_cpu_offset[NR_CPUS];
unsigned int nr_cpu_ids = 1;
struct cpumask __cpu_possible_mask = { .bits = { 1 } };
struct cpumask __cpu_online_mask = { .bits = { 1 } };

/* Called with the base of GS at `offset` already. */
void scene_enter_cpu(unsigned long offset)
{
	task = user_alloc(sizeof(*task));
	__per_cpu_offset[0] = offset;
	this_cpu_write(this_cpu_off, offset);
	this_cpu_write(current_task, task);
}
