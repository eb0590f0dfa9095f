// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "processes.h"

static struct dentry *directory;

bool mmn_is_enough(struct seq_file *seq)
{
	return seq_has_overflowed(seq) || fatal_signal_pending(current);
}

/* A position is the number of the first process that may come, after one of the names. */
static void *find_process(struct seq_file *seq, loff_t *pos)
{
	struct mmn_process *found = seq->private;

	if (*pos > INT_MAX || !mmn_next_process(*pos, found))
		return NULL;
	*pos = found->pid;
	return found;
}

static void drop_process(struct seq_file *seq)
{
	struct mmn_process *found = seq->private;

	if (found->mm)
		mmdrop(found->mm);
	found->mm = NULL;
}

static void *subscriptions_start(struct seq_file *seq, loff_t *pos)
{
	return *pos ? find_process(seq, pos) : SEQ_START_TOKEN;
}

static void *subscriptions_next(struct seq_file *seq, void *v, loff_t *pos)
{
	drop_process(seq);
	++*pos;
	return find_process(seq, pos);
}

static void subscriptions_stop(struct seq_file *seq, void *v)
{
	drop_process(seq);
}

static int subscriptions_show(struct seq_file *seq, void *v)
{
	if (v == SEQ_START_TOKEN)
		mmn_show_names(seq);
	else
		mmn_show_process(seq, v);
	return 0;
}

static const struct seq_operations subscriptions_ops = {
	.start = subscriptions_start,
	.next = subscriptions_next,
	.stop = subscriptions_stop,
	.show = subscriptions_show,
};

static int subscriptions_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &subscriptions_ops,
				sizeof(struct mmn_process));
}

static const struct file_operations subscriptions_fops = {
	.owner = THIS_MODULE,
	.open = subscriptions_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int totals_show(struct seq_file *seq, void *v)
{
	mmn_show_totals(seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(totals);

static int mode_show(struct seq_file *seq, void *v)
{
	mmn_show_mode(seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mode);

static int stuck_show(struct seq_file *seq, void *v)
{
	mmn_show_stuck(seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stuck);

static int accounting_get(void *data, u64 *value)
{
	*value = mmn_accounting();
	return 0;
}

static int accounting_set(void *data, u64 value)
{
	if (value > 1)
		return -EINVAL;
	mmn_account(value);
	return 0;
}
DEFINE_SIMPLE_ATTRIBUTE(accounting_fops, accounting_get, accounting_set,
			"%llu\n");

void mmn_debugfs_create(void)
{
	directory = debugfs_create_dir("mmu_notifier", NULL);
	debugfs_create_file("subscriptions", 0400, directory, NULL,
			    &subscriptions_fops);
	debugfs_create_file("totals", 0400, directory, NULL, &totals_fops);
	debugfs_create_file("mode", 0400, directory, NULL, &mode_fops);
	debugfs_create_file("stuck", 0400, directory, NULL, &stuck_fops);
	debugfs_create_file("accounting", 0600, directory, NULL,
			    &accounting_fops);
}

void mmn_debugfs_remove(void)
{
	debugfs_remove(directory);
}
