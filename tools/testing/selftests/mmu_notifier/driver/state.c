// SPDX-License-Identifier: GPL-2.0
/*
 * Looks into the core's private state, and for two hazards (the sequence about
 * to wrap, the count of users at its maximum) sets what no caller could reach
 * in a life time.
 */

#include <linux/mm_types.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "mmu_notifier_test.h"

/* As in mm/mmu_notifier.c, which keeps it private. */
struct mmu_notifier_subscriptions {
	struct hlist_head list;
	bool has_itree;
	spinlock_t lock;
	unsigned long invalidate_seq;
	unsigned long active_invalidate_ranges;
	struct rb_root_cached itree;
	wait_queue_head_t wq;
	struct hlist_head deferred_list;
};

/* The slot's mm is pinned by its subscription; a free slot stands for ours. */
static struct mm_struct *mnt_mm_of(struct mnt_slot *slot)
{
	switch (slot->kind) {
	case MNT_LIST:
	case MNT_COUNTED:
		if (slot->object && slot->object->mn.mm && !slot->object->freed)
			return slot->object->mn.mm;
		return current->mm;
	case MNT_INTERVAL:
		return slot->interval.mm;
	default:
		return current->mm;
	}
}

static struct mmu_notifier_subscriptions *mnt_subscriptions(struct mm_struct *mm)
{
	/* Pairs with the release in __mmu_notifier_register(). */
	return smp_load_acquire(&mm->notifier_subscriptions);
}

static unsigned int mnt_length(struct hlist_head *list)
{
	struct hlist_node *node;
	unsigned int n = 0;

	hlist_for_each(node, list)
		n++;
	return n;
}

long mnt_state(struct mnt_session *session, struct mnt_state *state)
{
	struct mmu_notifier_subscriptions *subscriptions;
	struct mm_struct *mm = current->mm;
	struct mnt_slot *slot = NULL;
	struct rb_node *node;

	if (state->slot > MNT_SLOTS)
		return -EINVAL;
	*state = (struct mnt_state){ .slot = state->slot };
	if (state->slot < MNT_SLOTS) {
		slot = &session->slots[state->slot];
		mm = mnt_mm_of(slot);
		if (slot->kind == MNT_INTERVAL)
			state->sub_seq = READ_ONCE(slot->interval.invalidate_seq);
		else if (slot->object)
			state->users = READ_ONCE(slot->object->mn.users);
	}
	subscriptions = mnt_subscriptions(mm);
	if (!subscriptions)
		return 0;

	spin_lock(&subscriptions->lock);
	state->present = true;
	state->has_itree = subscriptions->has_itree;
	state->subscriptions = mnt_length(&subscriptions->list);
	state->deferred = mnt_length(&subscriptions->deferred_list);
	for (node = rb_first_cached(&subscriptions->itree); node;
	     node = rb_next(node))
		state->intervals++;
	state->invalidate_seq = subscriptions->invalidate_seq;
	state->active_invalidate_ranges = subscriptions->active_invalidate_ranges;
	spin_unlock(&subscriptions->lock);
	return 0;
}

long mnt_set_seq(u64 seq)
{
	struct mmu_notifier_subscriptions *subscriptions =
		mnt_subscriptions(current->mm);
	long ret = -EBUSY;

	if (!subscriptions || (seq & 1))
		return -EINVAL;
	spin_lock(&subscriptions->lock);
	if (!subscriptions->active_invalidate_ranges) {
		subscriptions->invalidate_seq = seq;
		ret = 0;
	}
	spin_unlock(&subscriptions->lock);
	return ret;
}

long mnt_repair(struct mnt_slot *slot)
{
	struct mmu_notifier_subscriptions *subscriptions =
		mnt_subscriptions(mnt_mm_of(slot));
	long ret = -EBUSY;

	if (!subscriptions)
		return 0;
	spin_lock(&subscriptions->lock);
	if (hlist_empty(&subscriptions->deferred_list)) {
		ret = subscriptions->active_invalidate_ranges;
		subscriptions->active_invalidate_ranges = 0;
		subscriptions->invalidate_seq += subscriptions->invalidate_seq & 1;
	}
	spin_unlock(&subscriptions->lock);
	wake_up_all(&subscriptions->wq);
	return ret;
}

long mnt_set_users(struct mnt_slot *slot, unsigned int users)
{
	if (slot->kind != MNT_COUNTED || !slot->object || slot->object->freed)
		return -ENOENT;
	WRITE_ONCE(slot->object->mn.users, users);
	return 0;
}
