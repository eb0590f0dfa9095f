// SPDX-License-Identifier: GPL-2.0

#include <linux/mmu_notifier.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "processes.h"

/* The first thread may have ended before the others: any of them will do. */
static struct mm_struct *subscribed_mm(struct task_struct *process)
{
	struct mm_struct *mm, *found = NULL;
	struct task_struct *thread;

	for_each_thread(process, thread) {
		if (!READ_ONCE(thread->mm) || thread->flags & PF_KTHREAD)
			continue;
		task_lock(thread);
		/* It may have ended just now. */
		mm = thread->mm;
		if (mm && mm_has_notifiers(mm)) {
			mmgrab(mm);
			found = mm;
		}
		task_unlock(thread);
		if (mm)
			break;
	}
	return found;
}

bool mmn_next_process(pid_t number, struct mmn_process *found)
{
	struct task_struct *process;
	struct pid *pid;

	guard(rcu)();
	for (; (pid = find_ge_pid(number, &init_pid_ns)); number++) {
		number = pid_nr(pid);
		process = pid_task(pid, PIDTYPE_TGID);
		if (!process)
			continue;
		found->mm = subscribed_mm(process);
		if (!found->mm)
			continue;
		found->pid = number;
		get_task_comm(found->comm, process);
		return true;
	}
	return false;
}

bool mmn_is_task(const struct task_struct *task)
{
	struct task_struct *process, *thread;

	for_each_process_thread(process, thread) {
		if (thread == task)
			return true;
	}
	return false;
}

bool mmn_find_reader(struct task_struct *task, const void *mm,
		     struct mmn_reader *found)
{
	struct task_struct *process, *thread;

	if (!mmn_is_task(task))
		return false;
	found->tid = task_pid_nr(task);
	found->pid = task_tgid_nr(task);
	get_task_comm(found->comm, task);
	found->for_pid = 0;
	if (READ_ONCE(task->mm) == mm) {
		found->for_pid = found->pid;
		return true;
	}
	/* A kernel thread may borrow it. */
	for_each_process_thread(process, thread) {
		if (READ_ONCE(thread->mm) == mm && !(thread->flags & PF_KTHREAD)) {
			found->for_pid = task_tgid_nr(process);
			get_task_comm(found->for_comm, process);
			return true;
		}
	}
	return true;
}

pid_t mmn_tid(struct task_struct *task)
{
	return task_pid_nr(task);
}
