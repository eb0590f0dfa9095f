/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which processes there are, for debugfs and the watchdog.
 */
#ifndef MMN_PROCESSES_H
#define MMN_PROCESSES_H

#include <linux/mm_types.h>
#include <linux/sched.h>

struct mmn_process {
	/* Pinned by mm_count; has subscriptions, or had some. */
	struct mm_struct *mm;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/*
 * Finds the first process whose number is at least @pid that has subscriptions,
 * or had some: @found is filled in, and its mm to be given to mmdrop(). False
 * if there is none.
 *
 * Context: any but interrupts; never sleeps.
 */
bool mmn_next_process(pid_t pid, struct mmn_process *found);

struct mmn_reader {
	pid_t tid;
	pid_t pid;
	/* Whose memory it is about; 0 if that process exits. */
	pid_t for_pid;
	char comm[TASK_COMM_LEN];
	char for_comm[TASK_COMM_LEN];
};

/*
 * @task need not be one any more: it is looked for, and false returned if there
 * is none. @mm is compared with those that processes have, never looked into.
 *
 * Context: in an RCU section, which then keeps @task.
 */
bool mmn_find_reader(struct task_struct *task, const void *mm,
		     struct mmn_reader *found);
/* Whether @task is one, without the rest. */
bool mmn_is_task(const struct task_struct *task);

/* task_pid_nr() */
pid_t mmn_tid(struct task_struct *task);

#endif /* MMN_PROCESSES_H */
