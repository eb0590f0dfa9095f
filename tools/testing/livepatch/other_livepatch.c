// SPDX-License-Identifier: GPL-2.0
/*
 * Another vendor's livepatch of one MMU-notifier function, for tests of how
 * two livepatches get along. replace=1 makes it an atomic replace.
 */

#include <linux/livepatch.h>
#include <linux/module.h>

static bool replace;
module_param(replace, bool, 0444);
MODULE_PARM_DESC(replace, "remove all other livepatches");

/* Nobody in the test calls it, so it need not wait for anything. */
static void other_mmu_notifier_synchronize(void)
{
	pr_info("mmu_notifier_synchronize() of another livepatch\n");
}

static struct klp_func funcs[] = {
	{
		.old_name = "mmu_notifier_synchronize",
		.new_func = other_mmu_notifier_synchronize,
	},
	{}
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{}
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
};

static int __init other_init(void)
{
	patch.replace = replace;
	return klp_enable_patch(&patch);
}

static void __exit other_exit(void)
{
}

module_init(other_init);
module_exit(other_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("For tests: a livepatch beside the MMU-notifier core in Rust");
MODULE_INFO(livepatch, "Y");
