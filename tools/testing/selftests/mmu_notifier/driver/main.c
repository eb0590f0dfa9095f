// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/mmu_notifier_test: an ordinary driver of the MMU-notifier interface, in
 * C against the exported functions only, for tests of the core behind them.
 * See mmu_notifier_test_uapi.h for its commands.
 */

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "mmu_notifier_test.h"

static unsigned int mnt_record = MNT_EVENTS_MAX;
module_param_named(record, mnt_record, uint, 0444);
MODULE_PARM_DESC(record, "How many events a session remembers until they are drained");

static atomic_t mnt_sessions;
static DECLARE_WAIT_QUEUE_HEAD(mnt_gone);

static void mnt_session_free(struct kref *ref)
{
	struct mnt_session *session = container_of(ref, struct mnt_session, ref);

	for (unsigned int i = 0; i < MNT_SLOTS; i++)
		mnt_objects_free(&session->slots[i]);
	vfree(session->events);
	vfree(session);
	if (atomic_dec_and_test(&mnt_sessions))
		wake_up_all(&mnt_gone);
}

void mnt_session_put(struct mnt_session *session)
{
	kref_put(&session->ref, mnt_session_free);
}

static int mnt_open(struct inode *inode, struct file *file)
{
	struct mnt_session *session;

	session = vzalloc(sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->max_events = mnt_record;
	session->events = vmalloc_array(mnt_record, sizeof(*session->events));
	if (!session->events) {
		vfree(session);
		return -ENOMEM;
	}
	kref_init(&session->ref);
	mutex_init(&session->mutex);
	spin_lock_init(&session->lock);
	init_waitqueue_head(&session->wait);
	for (unsigned int i = 0; i < MNT_SLOTS; i++) {
		struct mnt_slot *slot = &session->slots[i];

		slot->session = session;
		slot->index = i;
		slot->behave.slot = i;
		slot->behave.end = ULONG_MAX;
		INIT_LIST_HEAD(&slot->objects);
		mutex_init(&slot->user_lock);
	}
	atomic_inc(&mnt_sessions);
	file->private_data = session;
	return 0;
}

static void mnt_open_all(struct mnt_session *session)
{
	WRITE_ONCE(session->open_all, true);
	wake_up_all(&session->wait);
}

static int mnt_close(struct inode *inode, struct file *file)
{
	struct mnt_session *session = file->private_data;

	mnt_open_all(session);
	for (unsigned int i = 0; i < MNT_SLOTS; i++) {
		if (session->slots[i].kind == MNT_INTERVAL)
			mnt_remove(&session->slots[i]);
		else
			mnt_list_close(&session->slots[i]);
	}
	if (session->kept)
		mmdrop(session->kept);
	mnt_session_put(session);
	return 0;
}

static long mnt_behave(struct mnt_session *session, const struct mnt_behave *behave)
{
	unsigned long flags;

	if (behave->slot >= MNT_SLOTS)
		return -EINVAL;
	spin_lock_irqsave(&session->lock, flags);
	session->slots[behave->slot].behave = *behave;
	spin_unlock_irqrestore(&session->lock, flags);
	wake_up_all(&session->wait);
	return 0;
}

static long mnt_keep_mm(struct mnt_session *session)
{
	long ret = -EBUSY;

	mutex_lock(&session->mutex);
	if (!session->kept) {
		mmgrab(current->mm);
		session->kept = current->mm;
		ret = 0;
	}
	mutex_unlock(&session->mutex);
	return ret;
}

/* Commands whose argument is the number of a slot, or nothing. */
static long mnt_simple(struct mnt_session *session, unsigned int cmd,
		       unsigned long arg)
{
	struct mnt_slot *slot;

	if (arg >= MNT_SLOTS)
		return -EINVAL;
	slot = &session->slots[arg];
	switch (cmd) {
	case MNT_UNREGISTER:
		return mnt_unregister(slot);
	case MNT_PUT:
		return mnt_put(slot);
	case MNT_REMOVE:
		return mnt_remove(slot);
	case MNT_OPEN:
		WRITE_ONCE(slot->behave.gates, 0);
		wake_up_all(&session->wait);
		return 0;
	case MNT_REPAIR:
		return mnt_repair(slot);
	case MNT_SYNCHRONIZE:
		return mnt_synchronize(session);
	case MNT_OPEN_ALL:
		mnt_open_all(session);
		return 0;
	case MNT_HOLD:
		wait_event(session->wait, READ_ONCE(session->let_go) ||
					  READ_ONCE(session->open_all));
		return 0;
	case MNT_LET_GO:
		WRITE_ONCE(session->let_go, true);
		wake_up_all(&session->wait);
		return 0;
	case MNT_KEEP_MM:
		return mnt_keep_mm(session);
	}
	return -ENOTTY;
}

union mnt_arg {
	u32 slot;
	struct mnt_add add;
	struct mnt_behave behave;
	struct mnt_read read;
	struct mnt_wait wait;
	struct mnt_drain drain;
	struct mnt_counts counts;
	struct mnt_state state;
	u64 seq;
};

/* Commands that begin with the number of a slot that must exist. */
static long mnt_on_slot(struct mnt_session *session, unsigned int cmd,
			union mnt_arg *arg)
{
	struct mnt_slot *slot;

	if (arg->slot >= MNT_SLOTS)
		return -EINVAL;
	slot = &session->slots[arg->slot];
	switch (cmd) {
	case MNT_REGISTER:
		return mnt_register(slot, &arg->add);
	case MNT_GET:
		return mnt_get(slot, &arg->add);
	case MNT_INSERT:
		return mnt_insert(slot, &arg->add);
	case MNT_READ_BEGIN:
		return mnt_read_begin(slot, &arg->read);
	case MNT_READ_RETRY:
		return mnt_read_retry(slot, &arg->read);
	case MNT_COUNTS:
		mnt_counts(slot, &arg->counts);
		return 0;
	case MNT_SET_USERS:
		return mnt_set_users(slot, arg->state.users);
	}
	return -ENOTTY;
}

static long mnt_with_arg(struct mnt_session *session, unsigned int cmd,
			 union mnt_arg *arg)
{
	switch (cmd) {
	case MNT_BEHAVE:
		return mnt_behave(session, &arg->behave);
	case MNT_WAIT:
		return mnt_wait(session, &arg->wait);
	case MNT_DRAIN:
		return mnt_drain(session, &arg->drain);
	case MNT_STATE:
		return mnt_state(session, &arg->state);
	case MNT_SET_SEQ:
		return mnt_set_seq(arg->seq);
	}
	return mnt_on_slot(session, cmd, arg);
}

static long mnt_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct mnt_session *session = file->private_data;
	void __user *user = (void __user *)uarg;
	union mnt_arg arg;
	long ret;

	if (!_IOC_SIZE(cmd))
		return mnt_simple(session, cmd, uarg);
	if (_IOC_SIZE(cmd) > sizeof(arg))
		return -ENOTTY;
	if (copy_from_user(&arg, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	ret = mnt_with_arg(session, cmd, &arg);
	if (ret >= 0 && (_IOC_DIR(cmd) & _IOC_READ) &&
	    copy_to_user(user, &arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	return ret;
}

static const struct file_operations mnt_fops = {
	.owner = THIS_MODULE,
	.open = mnt_open,
	.release = mnt_close,
	.unlocked_ioctl = mnt_ioctl,
};

static struct miscdevice mnt_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mmu_notifier_test",
	.fops = &mnt_fops,
	.mode = 0600,
};

static int __init mnt_init(void)
{
	return misc_register(&mnt_device);
}

/*
 * A driver would leave it at mmu_notifier_synchronize(). The C core's returns
 * while free callbacks may still be about to run, so this one counts its own
 * and lets the last leave the module's text: SRCU runs callbacks with bottom
 * halves off, and synchronize_rcu() waits for those.
 */
static void __exit mnt_exit(void)
{
	misc_deregister(&mnt_device);
	mmu_notifier_synchronize();
	pr_info("mmu_notifier_test: %d sessions wait for a free after mmu_notifier_synchronize()\n",
		atomic_read(&mnt_sessions));
	wait_event(mnt_gone, !atomic_read(&mnt_sessions));
	synchronize_rcu();
}

module_init(mnt_init);
module_exit(mnt_exit);
MODULE_DESCRIPTION("Test driver for the MMU-notifier core");
MODULE_LICENSE("GPL");
