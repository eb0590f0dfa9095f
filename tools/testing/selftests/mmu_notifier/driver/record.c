// SPDX-License-Identifier: GPL-2.0
/* The record of events, the gates that stop a callback, the pairing check. */

#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mmu_notifier_test.h"

static bool mnt_watched(const struct mnt_slot *slot, const struct mnt_call *call)
{
	return call->start < slot->behave.end && call->end > slot->behave.start;
}

bool mnt_refuses(const struct mnt_slot *slot, const struct mnt_call *call)
{
	if (!mnt_watched(slot, call))
		return false;
	return call->blockable ? slot->behave.flags & MNT_FAIL_BLOCKABLE :
				 slot->behave.eagain & MNT_BIT(call->hook);
}

static void mnt_append(struct mnt_session *session, const struct mnt_event *event)
{
	lockdep_assert_held(&session->lock);
	if (session->nr_events == session->max_events) {
		session->lost++;
		return;
	}
	session->events[session->nr_events] = *event;
	session->events[session->nr_events++].order = session->order++;
}

static void mnt_record(struct mnt_slot *slot, const struct mnt_call *call,
		       enum mnt_phase phase, int ret)
{
	struct mnt_session *session = slot->session;
	struct mnt_event event = {
		.start = call->start,
		.end = call->end,
		.seq = call->seq,
		.slot = slot->index,
		.hook = call->hook,
		.phase = phase,
		.event = call->event,
		.blockable = call->blockable,
		.ret = ret,
		.tid = task_pid_nr(current),
		.object = call->object,
		.owned = call->owned,
	};
	unsigned long flags;

	if (!mnt_watched(slot, call))
		return;
	spin_lock_irqsave(&session->lock, flags);
	slot->seen[call->hook] += phase == MNT_ENTER;
	mnt_append(session, &event);
	spin_unlock_irqrestore(&session->lock, flags);
	wake_up_all(&session->wait);
}

void mnt_returned(struct mnt_slot *slot, unsigned int cmd, int ret)
{
	struct mnt_event event = {
		.slot = slot->index,
		.hook = MNT_RETURNED,
		.event = _IOC_NR(cmd),
		.ret = ret,
		.tid = task_pid_nr(current),
	};
	unsigned long flags;

	spin_lock_irqsave(&slot->session->lock, flags);
	mnt_append(slot->session, &event);
	spin_unlock_irqrestore(&slot->session->lock, flags);
}

static bool mnt_gate_open(struct mnt_slot *slot, enum mnt_hook hook)
{
	u32 passes = current->flags & PF_EXITING ? MNT_GATE_LIVING :
						   MNT_GATE_EXITING;

	return !(READ_ONCE(slot->behave.gates) & MNT_BIT(hook)) ||
	       READ_ONCE(slot->session->open_all) ||
	       READ_ONCE(slot->behave.flags) & passes;
}

static long mnt_limit(const struct mnt_slot *slot)
{
	u32 limit = READ_ONCE(slot->behave.limit);

	return limit ? msecs_to_jiffies(limit) : MAX_SCHEDULE_TIMEOUT;
}

/*
 * Records that the callback has been entered and waits while its gate is shut.
 * Whether it is shut is decided first: a test opens it as soon as it sees the
 * record, and expects to see the callback leave.
 *
 * A fatal signal ends the wait, so that a test that ran out of time leaves no
 * thread behind; an exiting task stays, exit is what some tests stop.
 */
void mnt_enter(struct mnt_slot *slot, const struct mnt_call *call, int ret)
{
	bool open = !call->blockable || !mnt_watched(slot, call) ||
		    mnt_gate_open(slot, call->hook);

	mnt_record(slot, call, MNT_ENTER, ret);
	if (open)
		return;
	if (current->flags & PF_EXITING)
		wait_event_timeout(slot->session->wait,
				   mnt_gate_open(slot, call->hook), mnt_limit(slot));
	else
		wait_event_killable_timeout(slot->session->wait,
					    mnt_gate_open(slot, call->hook),
					    mnt_limit(slot));
	mnt_record(slot, call, MNT_LEAVE, 0);
}

void mnt_range_started(struct mnt_slot *slot, unsigned long start,
		       unsigned long end)
{
	struct mnt_session *session = slot->session;
	unsigned long flags;

	spin_lock_irqsave(&session->lock, flags);
	slot->starts++;
	if (slot->open < MNT_OPEN_RANGES)
		slot->ranges[slot->open++] = (struct mnt_open_range){
			.task = current, .start = start, .end = end,
		};
	else
		slot->lost++;
	spin_unlock_irqrestore(&session->lock, flags);
}

void mnt_range_ended(struct mnt_slot *slot, unsigned long start,
		     unsigned long end)
{
	struct mnt_session *session = slot->session;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&session->lock, flags);
	slot->ends++;
	for (i = 0; i < slot->open; i++) {
		struct mnt_open_range *range = &slot->ranges[i];

		if (range->task == current && range->start == start &&
		    range->end == end) {
			*range = slot->ranges[--slot->open];
			goto unlock;
		}
	}
	slot->orphans++;
unlock:
	spin_unlock_irqrestore(&session->lock, flags);
}

long mnt_drain(struct mnt_session *session, struct mnt_drain *drain)
{
	struct mnt_event *copy;
	unsigned long flags;
	long ret = 0;

	copy = kvmalloc_array(MNT_EVENTS_MAX, sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	spin_lock_irqsave(&session->lock, flags);
	drain->count = min(session->nr_events, MNT_EVENTS_MAX);
	drain->lost = session->lost;
	memcpy(copy, session->events, drain->count * sizeof(*copy));
	session->nr_events -= drain->count;
	memmove(session->events, session->events + drain->count,
		session->nr_events * sizeof(*copy));
	session->lost = 0;
	spin_unlock_irqrestore(&session->lock, flags);
	if (copy_to_user(u64_to_user_ptr(drain->events), copy,
			 drain->count * sizeof(*copy)))
		ret = -EFAULT;
	kvfree(copy);
	return ret;
}

static bool mnt_seen(struct mnt_slot *slot, const struct mnt_wait *wait)
{
	unsigned long flags;
	bool seen;

	spin_lock_irqsave(&slot->session->lock, flags);
	seen = slot->seen[wait->hook] >= wait->count;
	spin_unlock_irqrestore(&slot->session->lock, flags);
	return seen;
}

long mnt_wait(struct mnt_session *session, const struct mnt_wait *wait)
{
	struct mnt_slot *slot;

	if (wait->slot >= MNT_SLOTS || wait->hook >= MNT_HOOKS)
		return -EINVAL;
	slot = &session->slots[wait->slot];
	return wait_event_interruptible(session->wait, mnt_seen(slot, wait));
}

void mnt_counts(struct mnt_slot *slot, struct mnt_counts *counts)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->session->lock, flags);
	counts->open = slot->open;
	counts->starts = slot->starts;
	counts->ends = slot->ends;
	counts->orphans = slot->orphans;
	counts->lost = slot->lost;
	memcpy(counts->seen, slot->seen, sizeof(counts->seen));
	spin_unlock_irqrestore(&slot->session->lock, flags);
}
