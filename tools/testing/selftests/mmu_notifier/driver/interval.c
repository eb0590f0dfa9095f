// SPDX-License-Identifier: GPL-2.0
/* Interval subscriptions, with one pass and with two. */

#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mmu_notifier_test.h"

struct mnt_finish {
	struct mmu_interval_notifier_finish base;
	struct mnt_call call;
	bool never_due;
};

/* Handed out by a start pass that fails: the core must not finish it. */
static struct mnt_finish mnt_finish_of_failed = { .never_due = true };

static struct mnt_slot *mnt_interval_slot(struct mmu_interval_notifier *sub)
{
	return container_of(sub, struct mnt_slot, interval);
}

static bool mnt_begin_invalidate(struct mnt_slot *slot,
				 const struct mmu_notifier_range *range,
				 enum mnt_hook hook, unsigned long cur_seq,
				 struct mnt_call *call)
{
	*call = (struct mnt_call){
		.hook = hook,
		.start = range->start,
		.end = range->end,
		.seq = cur_seq,
		.event = range->event,
		.blockable = mmu_notifier_range_blockable(range),
		.owned = range->owner,
	};
	if (mnt_refuses(slot, call))
		goto refuse;
	if (call->blockable)
		mutex_lock(&slot->user_lock);
	else if (!mutex_trylock(&slot->user_lock))
		goto refuse;
	mmu_interval_set_seq(&slot->interval, cur_seq);
	mutex_unlock(&slot->user_lock);
	mnt_enter(slot, call, true);
	return true;
refuse:
	mnt_enter(slot, call, false);
	return false;
}

static bool mnt_op_invalidate(struct mmu_interval_notifier *sub,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct mnt_slot *slot = mnt_interval_slot(sub);
	struct mnt_call call;

	return mnt_begin_invalidate(slot, range, MNT_INVALIDATE, cur_seq, &call);
}

static bool mnt_op_invalidate_start(struct mmu_interval_notifier *sub,
				    const struct mmu_notifier_range *range,
				    unsigned long cur_seq,
				    struct mmu_interval_notifier_finish **finish)
{
	struct mnt_slot *slot = mnt_interval_slot(sub);
	struct mnt_finish *mine;
	struct mnt_call call;

	if (!mnt_begin_invalidate(slot, range, MNT_INVALIDATE_START, cur_seq,
				  &call)) {
		if (slot->behave.flags & MNT_FINISH_AND_FAIL)
			*finish = &mnt_finish_of_failed.base;
		return false;
	}
	if (slot->behave.flags & MNT_NO_FINISH)
		return true;
	mine = kmalloc_obj(*mine, GFP_ATOMIC);
	if (!mine)
		return true;
	mine->call = call;
	mine->call.hook = MNT_INVALIDATE_FINISH;
	mine->never_due = false;
	*finish = &mine->base;
	return true;
}

static void mnt_op_invalidate_finish(struct mmu_interval_notifier_finish *finish)
{
	struct mnt_finish *mine = container_of(finish, struct mnt_finish, base);
	struct mnt_slot *slot = mnt_interval_slot(finish->notifier);
	struct mnt_call call = mine->call;

	if (mine->never_due) {
		call.hook = MNT_INVALIDATE_FINISH;
		call.end = ULONG_MAX;
		mnt_enter(slot, &call, -EINVAL);
		return;
	}
	mnt_enter(slot, &call, 0);
	kfree(mine);
}

static const struct mmu_interval_notifier_ops mnt_one_pass = {
	.invalidate = mnt_op_invalidate,
};

static const struct mmu_interval_notifier_ops mnt_two_passes = {
	.invalidate_start = mnt_op_invalidate_start,
	.invalidate_finish = mnt_op_invalidate_finish,
};

static long mnt_insert_into(struct mnt_slot *slot, struct mnt_add *add,
			    struct mm_struct *mm)
{
	const struct mmu_interval_notifier_ops *ops =
		add->flags & MNT_TWO_PASS ? &mnt_two_passes : &mnt_one_pass;
	long ret;

	if (!(add->flags & MNT_LOCKED))
		return mmu_interval_notifier_insert(&slot->interval, mm,
						    add->start, add->length, ops);
	mmap_write_lock(mm);
	ret = mmu_interval_notifier_insert_locked(&slot->interval, mm,
						  add->start, add->length, ops);
	mmap_write_unlock(mm);
	return ret;
}

long mnt_insert(struct mnt_slot *slot, struct mnt_add *add)
{
	struct mnt_session *session = slot->session;
	struct mm_struct *mm = current->mm;
	long ret = 0;

	mutex_lock(&session->mutex);
	if (add->flags & MNT_KEPT_MM)
		mm = session->kept;
	if (!mm)
		ret = -ENOENT;
	else if (slot->kind != MNT_FREE_SLOT)
		ret = -EBUSY;
	else
		slot->kind = MNT_INTERVAL;
	mutex_unlock(&session->mutex);
	if (ret)
		return ret;

	if (add->flags & MNT_SIGUSR1)
		send_sig(SIGUSR1, current, 1);
	ret = mnt_insert_into(slot, add, mm);
	mnt_returned(slot, MNT_INSERT, ret);
	if (ret) {
		mutex_lock(&session->mutex);
		slot->kind = MNT_FREE_SLOT;
		mutex_unlock(&session->mutex);
	}
	return ret;
}

long mnt_remove(struct mnt_slot *slot)
{
	struct mnt_session *session = slot->session;
	bool mine;

	mutex_lock(&session->mutex);
	mine = slot->kind == MNT_INTERVAL && !slot->removing;
	if (mine)
		slot->removing = true;
	mutex_unlock(&session->mutex);
	if (!mine)
		return -ENOENT;
	mmu_interval_notifier_remove(&slot->interval);
	mnt_returned(slot, MNT_REMOVE, 0);
	mutex_lock(&session->mutex);
	slot->removing = false;
	slot->kind = MNT_FREE_SLOT;
	mutex_unlock(&session->mutex);
	return 0;
}

long mnt_read_begin(struct mnt_slot *slot, struct mnt_read *read)
{
	if (slot->kind != MNT_INTERVAL)
		return -ENOENT;
	read->seq = mmu_interval_read_begin(&slot->interval);
	mnt_returned(slot, MNT_READ_BEGIN, 0);
	return 0;
}

long mnt_read_retry(struct mnt_slot *slot, struct mnt_read *read)
{
	if (slot->kind != MNT_INTERVAL)
		return -ENOENT;
	mutex_lock(&slot->user_lock);
	read->retry = mmu_interval_read_retry(&slot->interval, read->seq);
	mutex_unlock(&slot->user_lock);
	return 0;
}
