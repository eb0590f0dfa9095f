// SPDX-License-Identifier: GPL-2.0
/* Subscriptions of a whole mm: register and unregister, get and put. */

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mmu_notifier_test.h"

#define MNT_SLOW_FREE_LIMIT	(HZ / 2)

/* Which slot a thread is in MNT_GET for: alloc_notifier is told the mm only. */
struct mnt_getting {
	struct list_head node;
	struct task_struct *task;
	struct mnt_slot *slot;
};

static LIST_HEAD(mnt_getting);
static DEFINE_SPINLOCK(mnt_getting_lock);

static struct mnt_object *mnt_object(struct mmu_notifier *mn)
{
	return container_of(mn, struct mnt_object, mn);
}

static struct mnt_object *mnt_object_new(struct mnt_slot *slot)
{
	struct mnt_session *session = slot->session;
	struct mnt_object *object;

	object = kzalloc_obj(*object);
	if (!object)
		return NULL;
	object->slot = slot;
	object->mn.ops = &slot->ops;
	kref_get(&session->ref);
	spin_lock_irq(&session->lock);
	object->number = ++slot->numbers;
	list_add(&object->node, &slot->objects);
	slot->object = object;
	spin_unlock_irq(&session->lock);
	return object;
}

/* Only for an object that the core does not know, or knows no longer. */
static void mnt_object_drop(struct mnt_object *object)
{
	struct mnt_slot *slot = object->slot;
	struct mnt_session *session = slot->session;

	spin_lock_irq(&session->lock);
	list_del(&object->node);
	if (slot->object == object)
		slot->object = NULL;
	spin_unlock_irq(&session->lock);
	kfree(object);
	mnt_session_put(session);
}

static void mnt_object_put(struct mnt_object *object)
{
	struct mnt_session *session = object->slot->session;
	unsigned long flags;

	spin_lock_irqsave(&session->lock, flags);
	if (object->puts_due && !--object->puts_due) {
		atomic_inc(&session->unfreed);
		WRITE_ONCE(session->synchronized, false);
	}
	spin_unlock_irqrestore(&session->lock, flags);
	mmu_notifier_put(&object->mn);
}

/* What is freed while a callback runs would be the callback's use after free. */
static void mnt_leave(const struct mnt_object *object)
{
	WARN_ON_ONCE(READ_ONCE(object->freed));
}

static void mnt_op_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mnt_object *object = mnt_object(mn);
	const struct mnt_call call = {
		.hook = MNT_RELEASE,
		.end = ULONG_MAX,
		.blockable = true,
		.object = object->number,
	};

	mnt_enter(object->slot, &call, 0);
	mnt_leave(object);
	if (object->slot->behave.flags & MNT_PUT_IN_RELEASE)
		mnt_object_put(object);
}

static bool mnt_young(struct mmu_notifier *mn, enum mnt_hook hook,
		      unsigned long start, unsigned long end)
{
	struct mnt_object *object = mnt_object(mn);
	const struct mnt_call call = {
		.hook = hook,
		.start = start,
		.end = end,
		.object = object->number,
	};
	bool young = object->slot->behave.young & MNT_BIT(hook);

	mnt_enter(object->slot, &call, young);
	return young;
}

static bool mnt_op_clear_flush_young(struct mmu_notifier *mn,
				     struct mm_struct *mm, unsigned long start,
				     unsigned long end)
{
	return mnt_young(mn, MNT_CLEAR_FLUSH_YOUNG, start, end);
}

static bool mnt_op_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long start, unsigned long end)
{
	return mnt_young(mn, MNT_CLEAR_YOUNG, start, end);
}

static bool mnt_op_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			      unsigned long address)
{
	return mnt_young(mn, MNT_TEST_YOUNG, address, address + 1);
}

static int mnt_op_range_start(struct mmu_notifier *mn,
			      const struct mmu_notifier_range *range)
{
	struct mnt_object *object = mnt_object(mn);
	struct mnt_slot *slot = object->slot;
	const struct mnt_call call = {
		.hook = MNT_RANGE_START,
		.start = range->start,
		.end = range->end,
		.event = range->event,
		.blockable = mmu_notifier_range_blockable(range),
		.owned = range->owner,
		.object = object->number,
	};
	int ret = mnt_refuses(slot, &call) ? -EAGAIN : 0;

	if (!ret)
		mnt_range_started(slot, range->start, range->end);
	mnt_enter(slot, &call, ret);
	mnt_leave(object);
	return ret;
}

static void mnt_op_range_end(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *range)
{
	struct mnt_object *object = mnt_object(mn);
	const struct mnt_call call = {
		.hook = MNT_RANGE_END,
		.start = range->start,
		.end = range->end,
		.event = range->event,
		.blockable = mmu_notifier_range_blockable(range),
		.owned = range->owner,
		.object = object->number,
	};

	mnt_enter(object->slot, &call, 0);
	mnt_leave(object);
	mnt_range_ended(object->slot, range->start, range->end);
}

static void mnt_op_secondary_tlbs(struct mmu_notifier *mn, struct mm_struct *mm,
				  unsigned long start, unsigned long end)
{
	struct mnt_object *object = mnt_object(mn);
	const struct mnt_call call = {
		.hook = MNT_SECONDARY_TLBS,
		.start = start,
		.end = end,
		.object = object->number,
	};

	mnt_enter(object->slot, &call, 0);
}

static struct mmu_notifier *mnt_op_alloc(struct mm_struct *mm)
{
	struct mnt_call call = {
		.hook = MNT_ALLOC,
		.end = ULONG_MAX,
		.blockable = true,
	};
	struct mnt_slot *slot = NULL;
	struct mnt_getting *getting;
	struct mnt_object *object;

	spin_lock(&mnt_getting_lock);
	list_for_each_entry(getting, &mnt_getting, node)
		if (getting->task == current)
			slot = getting->slot;
	spin_unlock(&mnt_getting_lock);
	if (WARN_ON(!slot))
		return ERR_PTR(-EINVAL);

	if (slot->behave.flags & MNT_FAIL_ALLOC) {
		mnt_enter(slot, &call, -ENOMEM);
		return ERR_PTR(-ENOMEM);
	}
	object = mnt_object_new(slot);
	if (!object)
		return ERR_PTR(-ENOMEM);
	call.object = object->number;
	mnt_enter(slot, &call, 0);
	return &object->mn;
}

/*
 * Keeps the callback running until mmu_notifier_synchronize() is back. One
 * that waits for callbacks cannot come back before, hence the limit.
 */
static void mnt_slow_free(struct mnt_session *session)
{
	unsigned long limit = jiffies + MNT_SLOW_FREE_LIMIT;

	while (!READ_ONCE(session->synchronized) && time_before(jiffies, limit))
		cpu_relax();
}

static void mnt_op_free(struct mmu_notifier *mn)
{
	struct mnt_object *object = mnt_object(mn);
	struct mnt_slot *slot = object->slot;
	struct mnt_session *session = slot->session;
	const struct mnt_call call = {
		.hook = MNT_FREE,
		.end = ULONG_MAX,
		.object = object->number,
	};
	bool put_before = !object->puts_due && mn->mm;
	unsigned long flags;

	mnt_enter(slot, &call, object->freed ? -EINVAL : 0);
	if (slot->behave.flags & MNT_SLOW_FREE)
		mnt_slow_free(session);
	if (put_before)
		atomic_dec(&session->unfreed);

	spin_lock_irqsave(&session->lock, flags);
	object->freed = true;
	if (slot->object == object) {
		/* MNT_PUT must still be able to see that it is freed. */
		object = NULL;
	} else {
		list_del(&object->node);
	}
	spin_unlock_irqrestore(&session->lock, flags);
	kfree(object);
	mnt_session_put(session);
}

#define MNT_OP(hook, op) ((mask & MNT_BIT(hook)) ? (op) : NULL)

static void mnt_set_ops(struct mnt_slot *slot, u32 mask)
{
	slot->ops = (struct mmu_notifier_ops){
		.release = MNT_OP(MNT_RELEASE, mnt_op_release),
		.clear_flush_young = MNT_OP(MNT_CLEAR_FLUSH_YOUNG,
					    mnt_op_clear_flush_young),
		.clear_young = MNT_OP(MNT_CLEAR_YOUNG, mnt_op_clear_young),
		.test_young = MNT_OP(MNT_TEST_YOUNG, mnt_op_test_young),
		.invalidate_range_start = MNT_OP(MNT_RANGE_START,
						 mnt_op_range_start),
		.invalidate_range_end = MNT_OP(MNT_RANGE_END, mnt_op_range_end),
		.arch_invalidate_secondary_tlbs = MNT_OP(MNT_SECONDARY_TLBS,
							 mnt_op_secondary_tlbs),
		.alloc_notifier = mnt_op_alloc,
		.free_notifier = mnt_op_free,
	};
}

static void mnt_signal_self(u32 flags)
{
	if (flags & MNT_SIGUSR1)
		send_sig(SIGUSR1, current, 1);
	if (flags & MNT_SIGKILL)
		send_sig(SIGKILL, current, 1);
}

static long mnt_claim(struct mnt_slot *slot, enum mnt_kind kind, u32 ops)
{
	struct mnt_session *session = slot->session;
	long ret = 0;

	mutex_lock(&session->mutex);
	if (slot->kind == MNT_FREE_SLOT) {
		slot->kind = kind;
		mnt_set_ops(slot, ops);
	} else if (slot->kind != MNT_COUNTED || kind != MNT_COUNTED) {
		ret = -EBUSY;
	}
	mutex_unlock(&session->mutex);
	return ret;
}

static void mnt_release_claim(struct mnt_slot *slot)
{
	mutex_lock(&slot->session->mutex);
	slot->kind = MNT_FREE_SLOT;
	mutex_unlock(&slot->session->mutex);
}

long mnt_register(struct mnt_slot *slot, struct mnt_add *add)
{
	struct mm_struct *mm = current->mm;
	struct mnt_object *object;
	long ret;

	ret = mnt_claim(slot, MNT_LIST, add->ops);
	if (ret)
		return ret;
	object = mnt_object_new(slot);
	if (!object) {
		mnt_release_claim(slot);
		return -ENOMEM;
	}
	object->puts_due = 1;
	mnt_signal_self(add->flags);
	if (add->flags & MNT_LOCKED) {
		mmap_write_lock(mm);
		ret = __mmu_notifier_register(&object->mn, mm);
		mmap_write_unlock(mm);
	} else {
		ret = mmu_notifier_register(&object->mn, mm);
	}
	add->object = object->number;
	add->users = object->mn.users;
	mnt_returned(slot, MNT_REGISTER, ret);
	if (ret) {
		mnt_object_drop(object);
		mnt_release_claim(slot);
	}
	return ret;
}

long mnt_unregister(struct mnt_slot *slot)
{
	struct mnt_session *session = slot->session;
	struct mnt_object *object = NULL;

	mutex_lock(&session->mutex);
	if (slot->kind == MNT_LIST && slot->object && slot->object->puts_due) {
		object = slot->object;
		object->puts_due = 0;
	}
	mutex_unlock(&session->mutex);
	if (!object)
		return -ENOENT;
	mmu_notifier_unregister(&object->mn, object->mn.mm);
	mnt_returned(slot, MNT_UNREGISTER, 0);
	mnt_object_drop(object);
	mnt_release_claim(slot);
	return 0;
}

long mnt_get(struct mnt_slot *slot, struct mnt_add *add)
{
	struct mnt_getting getting = { .task = current, .slot = slot };
	struct mnt_object *object;
	struct mmu_notifier *mn;
	long ret;

	ret = mnt_claim(slot, MNT_COUNTED, add->ops);
	if (ret)
		return ret;
	spin_lock(&mnt_getting_lock);
	list_add(&getting.node, &mnt_getting);
	spin_unlock(&mnt_getting_lock);
	mnt_signal_self(add->flags);

	mn = mmu_notifier_get(&slot->ops, current->mm);

	spin_lock(&mnt_getting_lock);
	list_del(&getting.node);
	spin_unlock(&mnt_getting_lock);
	if (!IS_ERR(mn)) {
		object = mnt_object(mn);
		spin_lock_irq(&slot->session->lock);
		object->puts_due++;
		spin_unlock_irq(&slot->session->lock);
		add->object = object->number;
		add->users = READ_ONCE(mn->users);
	}
	ret = PTR_ERR_OR_ZERO(mn);
	mnt_returned(slot, MNT_GET, ret);
	return ret;
}

long mnt_put(struct mnt_slot *slot)
{
	struct mnt_object *object;

	mutex_lock(&slot->session->mutex);
	object = slot->object;
	if (object && (object->freed || !object->mn.mm))
		object = NULL;
	mutex_unlock(&slot->session->mutex);
	if (!object)
		return -ENOENT;
	mnt_object_put(object);
	mnt_returned(slot, MNT_PUT, 0);
	return 0;
}

long mnt_synchronize(struct mnt_session *session)
{
	mmu_notifier_synchronize();
	WRITE_ONCE(session->synchronized, true);
	return atomic_read(&session->unfreed);
}

static struct mnt_object *mnt_object_due(struct mnt_slot *slot)
{
	struct mnt_object *object, *due = NULL;

	spin_lock_irq(&slot->session->lock);
	list_for_each_entry(object, &slot->objects, node)
		if (object->puts_due)
			due = object;
	spin_unlock_irq(&slot->session->lock);
	return due;
}

void mnt_list_close(struct mnt_slot *slot)
{
	struct mnt_object *object;

	if (slot->kind == MNT_LIST)
		mnt_unregister(slot);
	else if (slot->kind == MNT_COUNTED)
		while ((object = mnt_object_due(slot)))
			mnt_object_put(object);
}

void mnt_objects_free(struct mnt_slot *slot)
{
	struct mnt_object *object, *next;

	list_for_each_entry_safe(object, next, &slot->objects, node)
		kfree(object);
}
