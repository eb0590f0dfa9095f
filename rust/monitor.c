// SPDX-License-Identifier: GPL-2.0

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bottom_half.h>
#include <linux/llist.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "monitor.h"
#include "processes.h"

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

#ifdef MODULE
void mmn_monitor_exit(void)
{
	disable_delayed_work_sync(&work);
	destroy_workqueue(queue);
	queue = NULL;
}
#endif

void mmn_monitor_reconsider(void)
{
	/* At load there is no monitor yet, and in the end none any more. */
	if (queue)
		mmn_monitor_kick();
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

int mmn_srcu_read_lock(struct srcu_struct *domain)
{
	return srcu_read_lock(domain);
}

void mmn_srcu_read_unlock(struct srcu_struct *domain, int idx)
{
	srcu_read_unlock(domain, idx);
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

void mmn_say_stuck(const void *callback, const struct mmn_reader *reader,
		   unsigned long seconds)
{
	if (!callback)
		pr_warn("a reader that calls nothing stuck for %lu s in %s/%d\n",
			seconds, reader->comm, reader->tid);
	else if (reader->for_pid == reader->pid)
		pr_warn("callback %pS stuck for %lu s in %s/%d of process %d\n",
			callback, seconds, reader->comm, reader->tid,
			reader->pid);
	else if (reader->for_pid)
		pr_warn("callback %pS stuck for %lu s in %s/%d for process %s/%d\n",
			callback, seconds, reader->comm, reader->tid,
			reader->for_comm, reader->for_pid);
	else
		pr_warn("callback %pS stuck for %lu s in %s/%d for a process that exits\n",
			callback, seconds, reader->comm, reader->tid);
}

void mmn_say_waiting(struct task_struct *task)
{
	pr_warn("waiting for it: %s/%d\n", task->comm, task_pid_nr(task));
}
