// SPDX-License-Identifier: GPL-2.0
/*
 * Does on purpose what the debug kernels must notice, by the word written to
 * /sys/module/provoke/parameters/what. What is not heard of here would not be
 * heard of in the core either.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "provoke.h"

#define ROUNDS	200000
#define LEAKS	32

static void use_after_free(void)
{
	char *memory = kmalloc(64, GFP_KERNEL);

	if (!memory)
		return;
	kfree(memory);
	mmn_provoke_rust_read(memory);
}

/* Many: of some a pointer may stay behind on a stack. */
static void leak(void)
{
	for (int i = 0; i < LEAKS; i++) {
		char *memory = kmalloc(200, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(memory);
	}
}

static void sleep_in_atomic(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

static void nothing(struct timer_list *timer)
{
}

static void free_active_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, nothing, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void invert_locks(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void mmn_provoke_c_add(u64 *raced)
{
	*raced += 1;
}

static u64 raced;

static int add_often(void *add)
{
	for (int i = 0; i < ROUNDS; i++) {
		((void (*)(u64 *))add)(&raced);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

/* Two threads at once; both have ended when it returns. */
static void race(void (*add)(u64 *), void (*add_too)(u64 *))
{
	struct task_struct *other = kthread_run(add_often, add_too, "provoke");

	if (IS_ERR(other))
		return;
	get_task_struct(other);
	add_often(add);
	kthread_stop(other);
	put_task_struct(other);
}

static void race_in_c(void)
{
	race(mmn_provoke_c_add, mmn_provoke_c_add);
}

static void race_in_rust(void)
{
	race(mmn_provoke_rust_add, mmn_provoke_rust_add);
}

static void race_marked_in_rust(void)
{
	race(mmn_provoke_rust_add_marked, mmn_provoke_rust_add_marked);
}

static void race_half_marked(void)
{
	race(mmn_provoke_c_add, mmn_provoke_rust_add_marked);
}

static const struct {
	const char *name;
	void (*provoke)(void);
} ways[] = {
	{ "use_after_free", use_after_free },
	{ "leak", leak },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "free_active_timer", free_active_timer },
	{ "invert_locks", invert_locks },
	{ "race_in_c", race_in_c },
	{ "race_in_rust", race_in_rust },
	{ "race_marked_in_rust", race_marked_in_rust },
	{ "race_half_marked", race_half_marked },
	{ "allocate_in_callback", allocate_in_callback },
	{ "unregister_with_callbacks_lock", unregister_with_callbacks_lock },
};

static int set_what(const char *what, const struct kernel_param *kp)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (sysfs_streq(what, ways[i].name)) {
			ways[i].provoke();
			return 0;
		}
	}
	return -EINVAL;
}

static const struct kernel_param_ops what_ops = { .set = set_what };
module_param_cb(what, &what_ops, NULL, 0200);

MODULE_DESCRIPTION("Does what a debug kernel must notice");
MODULE_LICENSE("GPL");
