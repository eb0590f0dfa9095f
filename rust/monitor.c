// SPDX-License-Identifier: GPL-2.0

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bottom_half.h>
#include <linux/llist.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "monitor.h"

static struct workqueue_struct *queue;
static DECLARE_WAIT_QUEUE_HEAD(passed);
static LLIST_HEAD(pending);

static void pass(struct work_struct *work)
{
	mmn_monitor_pass();
	wake_up_all(&passed);
}
static DECLARE_DELAYED_WORK(work, pass);

int mmn_monitor_init(void)
{
	/* What it frees, reclaim may be waiting for. */
	queue = alloc_workqueue("mmu_notifier", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!queue)
		return -ENOMEM;
	return 0;
}

void mmn_monitor_exit(void)
{
	disable_delayed_work_sync(&work);
	destroy_workqueue(queue);
	queue = NULL;
}

void mmn_monitor_kick(void)
{
	mod_delayed_work(queue, &work, 0);
}

void mmn_monitor_plan(unsigned long jiffies_from_now)
{
	if (jiffies_from_now >= HZ)
		jiffies_from_now = round_jiffies_relative(jiffies_from_now);
	queue_delayed_work(queue, &work, jiffies_from_now);
}

struct wait_queue_head *mmn_monitor_queue(void)
{
	return &passed;
}

/*
 * A head's first word is the link of a list like this one. The pass comes with
 * the next tick: to wake a worker at once would cost the caller more than all
 * the rest, and others may put meanwhile.
 */
void mmn_pending_add(struct callback_head *head)
{
	if (llist_add((struct llist_node *)head, &pending))
		mod_delayed_work(queue, &work, 1);
}

struct callback_head *mmn_pending_take_all(void)
{
	return (struct callback_head *)llist_del_all(&pending);
}

int mmn_srcu_down_read(struct srcu_struct *domain)
{
	return srcu_down_read(domain);
}

void mmn_srcu_up_read(struct srcu_struct *domain, int idx)
{
	srcu_up_read(domain, idx);
}

void mmn_bh_disable(void)
{
	local_bh_disable();
}

void mmn_bh_enable(void)
{
	local_bh_enable();
}

void mmn_rcu_read_lock(void)
{
	rcu_read_lock();
}

void mmn_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

/* Whether a task lives that is at this address; it stays while RCU holds it. */
static bool is_task(const struct task_struct *task)
{
	struct task_struct *process, *thread;

	for_each_process_thread(process, thread) {
		if (thread == task)
			return true;
	}
	return false;
}

bool mmn_say_stuck(const void *callback, struct task_struct *task,
		   const void *mm, unsigned long seconds)
{
	struct task_struct *process;

	if (!is_task(task))
		return false;
	if (READ_ONCE(task->mm) == mm) {
		pr_warn("callback %pS stuck for %lu s in %s/%d of process %d\n",
			callback, seconds, task->comm, task_pid_nr(task),
			task_tgid_nr(task));
		return true;
	}
	for_each_process(process) {
		if (READ_ONCE(process->mm) == mm) {
			pr_warn("callback %pS stuck for %lu s in %s/%d for process %s/%d\n",
				callback, seconds, task->comm, task_pid_nr(task),
				process->comm, task_tgid_nr(process));
			return true;
		}
	}
	pr_warn("callback %pS stuck for %lu s in %s/%d for a process that exits\n",
		callback, seconds, task->comm, task_pid_nr(task));
	return true;
}

void mmn_say_waiting(struct task_struct *task)
{
	pr_warn("waiting for it: %s/%d\n", task->comm, task_pid_nr(task));
}

static unsigned int stuck_after = 10;
static unsigned int stuck_callbacks;

static int stuck_after_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_uint(val, kp);

	/* At load there is no monitor yet, and in the end none any more. */
	if (!ret && queue)
		mmn_monitor_kick();
	return ret;
}

static const struct kernel_param_ops stuck_after_ops = {
	.set = stuck_after_set,
	.get = param_get_uint,
};
module_param_cb(stuck_after, &stuck_after_ops, &stuck_after, 0644);
MODULE_PARM_DESC(stuck_after, "seconds until a callback is reported as stuck; 0: never (10)");
module_param(stuck_callbacks, uint, 0444);
MODULE_PARM_DESC(stuck_callbacks, "how many callbacks were reported as stuck so far");

unsigned int mmn_stuck_after(void)
{
	return READ_ONCE(stuck_after);
}

void mmn_count_stuck(void)
{
	WRITE_ONCE(stuck_callbacks, stuck_callbacks + 1);
}
