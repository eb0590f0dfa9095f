/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the monitor and the watchdog need of the kernel; see monitor.rs.
 */
#ifndef MMN_MONITOR_H
#define MMN_MONITOR_H

#include <linux/sched.h>
#include <linux/srcu.h>
#include <linux/wait.h>

/* The work item that runs mmn_monitor_pass(), never twice at a time. */
int mmn_monitor_init(void);
/* Waits for a pass that runs; none comes after it. */
void mmn_monitor_exit(void);
/* Has a pass run now, even if a later one was planned. Context: any but NMI. */
void mmn_monitor_kick(void);
/* Has a pass run if there is a monitor: somebody has written to a parameter. */
void mmn_monitor_reconsider(void);
/* Plans a pass, unless one is planned already; whole seconds may be rounded. */
void mmn_monitor_plan(unsigned long jiffies_from_now);

/* Woken after each pass. */
struct wait_queue_head *mmn_monitor_queue(void);

/* linux/llist.h, for heads whose first word is theirs. */
void mmn_pending_add(struct callback_head *head);
struct callback_head *mmn_pending_take_all(void);

/* linux/srcu.h: a section, and one that another task ends. */
int mmn_srcu_read_lock(struct srcu_struct *domain);
void mmn_srcu_read_unlock(struct srcu_struct *domain, int idx);
int mmn_srcu_down_read(struct srcu_struct *domain);
void mmn_srcu_up_read(struct srcu_struct *domain, int idx);

/* linux/bottom_half.h */
void mmn_bh_disable(void);
void mmn_bh_enable(void);

struct mmn_reader;

/* Log lines. */
void mmn_say_stuck(const void *callback, const struct mmn_reader *reader,
		   unsigned long seconds);
/* In an RCU section that keeps @task. */
void mmn_say_waiting(struct task_struct *task);

#ifndef __BINDGEN__
/* In Rust. */
void mmn_monitor_pass(void);
#endif

#endif /* MMN_MONITOR_H */
