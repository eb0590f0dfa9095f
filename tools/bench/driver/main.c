// SPDX-License-Identifier: GPL-2.0
/*
 * The driver of the bench: subscribes to the address space of whoever opens it, and calls the
 * MMU-notifier core in a loop, as the VM and drivers do.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bench.h"

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench *bench = kzalloc(sizeof(*bench), GFP_KERNEL);
	int err;

	if (!bench)
		return -ENOMEM;
	mutex_init(&bench->lock);
	INIT_LIST_HEAD(&bench->subscriptions);
	bench->floor_tree = RB_ROOT_CACHED;
	err = calls_find(bench);
	if (err) {
		kfree(bench);
		return err;
	}
	bench->mm = current->mm;
	mmgrab(bench->mm);
	file->private_data = bench;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bench *bench = file->private_data;

	subscriptions_drop(bench);
	intervals_drop(bench);
	mmdrop(bench->mm);
	kfree(bench);
	return 0;
}

static long run(struct bench *bench, unsigned int command, unsigned long arg)
{
	union {
		struct bench_calls calls;
		struct bench_subscriptions subscriptions;
		struct bench_intervals intervals;
		struct bench_put put;
		struct bench_srcu srcu;
		struct bench_sizes sizes;
	} work = {};
	void __user *user = (void __user *)arg;
	int err;

	if (_IOC_SIZE(command) > sizeof(work))
		return -ENOTTY;
	if ((_IOC_DIR(command) & _IOC_WRITE) && copy_from_user(&work, user, _IOC_SIZE(command)))
		return -EFAULT;
	switch (command) {
	case BENCH_CALLS:
		err = calls_run(bench, &work.calls);
		break;
	case BENCH_SUBSCRIBE:
		err = subscriptions_add(bench, &work.subscriptions);
		break;
	case BENCH_UNREGISTER:
		err = subscriptions_unregister(bench, &work.subscriptions);
		break;
	case BENCH_INTERVALS:
		err = intervals_add(bench, &work.intervals);
		break;
	case BENCH_PUT:
		err = subscriptions_put_one(bench, &work.put);
		break;
	case BENCH_STICK:
		return subscriptions_stick(bench, arg);
	case BENCH_WAIT_STUCK:
		return subscriptions_wait_stuck();
	case BENCH_SRCU:
		err = flavours_run(&work.srcu);
		break;
	case BENCH_SIZES:
		flavours_sizes(&work.sizes);
		err = 0;
		break;
	default:
		return -ENOTTY;
	}
	if (!err && copy_to_user(user, &work, _IOC_SIZE(command)))
		err = -EFAULT;
	return err;
}

static long bench_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct bench *bench = file->private_data;
	long result;

	/* Work is for the address space that the file was opened in. */
	if (bench->mm != current->mm)
		return -EPERM;
	mutex_lock(&bench->lock);
	result = run(bench, command, arg);
	mutex_unlock(&bench->lock);
	return result;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mmu_notifier_bench",
	.fops = &bench_fops,
};

static int __init bench_init(void)
{
	int err = calls_init();

	if (err)
		return err;
	err = flavours_init();
	if (err)
		return err;
	err = misc_register(&bench_device);
	if (err)
		flavours_exit();
	return err;
}

static void __exit bench_exit(void)
{
	misc_deregister(&bench_device);
	/* Subscriptions that were put may still be about to be freed by this module's text. */
	mmu_notifier_synchronize();
	flavours_exit();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Bench of the MMU-notifier core");
MODULE_LICENSE("GPL");
