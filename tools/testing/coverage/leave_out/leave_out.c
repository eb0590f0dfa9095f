// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a call site of the hooks out, as if the kernel had forgotten it: a
 * test of the site must notice.
 *
 * callers: where the calls return to that are left out; "0" for none
 * left_out: how many were
 *
 * For C's core; where livepatch redirects a function, its entry is taken.
 */
#include <linux/kprobes.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#define CALLERS	8
#define RANGES	64

static unsigned long callers[CALLERS];
module_param_array(callers, ulong, NULL, 0644);
static unsigned long left_out;
module_param(left_out, ulong, 0644);

/* Ranges whose start was left out; their end has to be, too. */
static struct {
	const void *range;
	const struct task_struct *task;
} started[RANGES];
static DEFINE_RAW_SPINLOCK(lock);

/* What runs in the place of a hook: nothing to wait for, nothing young. */
static noinline notrace int nothing(void)
{
	return 0;
}

static int instead(struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)nothing);
	return 1;
}

static bool chosen(const struct pt_regs *regs)
{
	unsigned long caller = *(unsigned long *)kernel_stack_pointer((struct pt_regs *)regs);

	for (unsigned int i = 0; i < CALLERS; i++)
		if (callers[i] && callers[i] == caller)
			return true;
	return false;
}

static int call(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long flags;

	if (!chosen(regs))
		return 0;
	raw_spin_lock_irqsave(&lock, flags);
	left_out++;
	raw_spin_unlock_irqrestore(&lock, flags);
	return instead(regs);
}

/* Puts (range, task) where (old_range, old_task) is; false if that is nowhere. */
static bool replace(const void *old_range, const void *old_task, const void *range,
		    const struct task_struct *task)
{
	bool found = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	for (unsigned int i = 0; i < RANGES && !found; i++)
		if (started[i].range == old_range && started[i].task == old_task) {
			started[i].range = range;
			started[i].task = task;
			left_out += range != NULL;
			found = true;
		}
	raw_spin_unlock_irqrestore(&lock, flags);
	return found;
}

static int range_start(struct kprobe *probe, struct pt_regs *regs)
{
	const void *range = (const void *)regs_get_kernel_argument(regs, 0);

	if (!chosen(regs) || !replace(NULL, NULL, range, current))
		return 0;
	return instead(regs);
}

static int range_end(struct kprobe *probe, struct pt_regs *regs)
{
	const void *range = (const void *)regs_get_kernel_argument(regs, 0);

	return replace(range, current, NULL, NULL) ? instead(regs) : 0;
}

/* A probe with one of these may change where the call goes. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

#define PROBE(hook, handler) {				\
	.symbol_name = "__mmu_notifier_" #hook,		\
	.pre_handler = handler,				\
	.post_handler = after,				\
}

static struct kprobe probes[] = {
	PROBE(invalidate_range_start, range_start),
	PROBE(invalidate_range_end, range_end),
	PROBE(clear_flush_young, call),
	PROBE(clear_young, call),
	PROBE(test_young, call),
	PROBE(arch_invalidate_secondary_tlbs, call),
};
static struct kprobe *all[ARRAY_SIZE(probes)];

static int __init leave_out_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(probes); i++)
		all[i] = &probes[i];
	return register_kprobes(all, ARRAY_SIZE(all));
}
module_init(leave_out_init);

static void __exit leave_out_exit(void)
{
	unregister_kprobes(all, ARRAY_SIZE(all));
}
module_exit(leave_out_exit);

MODULE_DESCRIPTION("Leaves a call site of the MMU-notifier hooks out, for tests");
MODULE_LICENSE("GPL");
