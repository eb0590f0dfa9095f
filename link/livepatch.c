// SPDX-License-Identifier: GPL-2.0
/*
 * The way into the running kernel and out of it again: one livepatch that
 * redirects the functions of mm/mmu_notifier.c to the core in Rust.
 *
 *	insmod mmu_notifier_rust.ko
 *	cat /sys/kernel/livepatch/mmu_notifier_rust/transition	# until 0
 *	cat /sys/module/mmu_notifier_rust/parameters/mode	# native
 *	echo 0 > /sys/kernel/livepatch/mmu_notifier_rust/enabled
 *	# until /sys/kernel/livepatch/mmu_notifier_rust is gone
 *	rmmod mmu_notifier_rust
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/livepatch.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "../rust/params.h"
#include "livepatch.h"

#define FOR_EACH_ENTRY(X) \
	X(__mmu_notifier_release) \
	X(__mmu_notifier_clear_flush_young) \
	X(__mmu_notifier_clear_young) \
	X(__mmu_notifier_test_young) \
	X(__mmu_notifier_invalidate_range_start) \
	X(__mmu_notifier_invalidate_range_end) \
	X(__mmu_notifier_arch_invalidate_secondary_tlbs) \
	X(__mmu_notifier_subscriptions_destroy) \
	X(mmu_notifier_register) \
	X(__mmu_notifier_register) \
	X(mmu_notifier_unregister) \
	X(mmu_notifier_get_locked) \
	X(mmu_notifier_put) \
	X(mmu_notifier_synchronize) \
	X(mmu_interval_notifier_insert) \
	X(mmu_interval_notifier_insert_locked) \
	X(mmu_interval_notifier_remove) \
	X(mmu_interval_read_begin)

#define DECLARE_IN_RUST(f)	extern typeof(f) rust_##f;
FOR_EACH_ENTRY(DECLARE_IN_RUST)

#define KLP_FUNC(f)		{ .old_name = #f, .new_func = rust_##f },
static struct klp_func funcs[] = {
	FOR_EACH_ENTRY(KLP_FUNC)
	{}
};

/* Of kernel/livepatch/patch.c; wants klp_mutex. */
struct klp_ops;
struct klp_ops *mmn_klp_find_ops(void *old_func);

static int pre_patch(struct klp_object *obj)
{
	static const struct attribute force = { .name = "force" };
	struct klp_func *func;
	int ret;

	/*
	 * Another livepatch's version of one of these functions would be
	 * shadowed, and with it the fix that it brings.
	 */
	klp_for_each_func(obj, func) {
		if (mmn_klp_find_ops(func->old_func)) {
			pr_err("%s is already livepatched; disable that livepatch first\n",
			       func->old_name);
			return -EBUSY;
		}
	}

	/*
	 * A forced transition completes with tasks still in the C functions,
	 * and when it was forced on the way in, nothing records that. Native
	 * mode must not meet them, so the file is closed, and post_patch() looks
	 * whether it still is. A transition that is stuck can be reversed.
	 */
	ret = sysfs_chmod_file(obj->kobj.parent, &force, 0);
	if (ret)
		pr_err("cannot close the livepatch's force file (%d)\n", ret);
	return ret;
}

static bool may_have_been_forced(struct klp_object *obj)
{
	struct klp_patch *patch = container_of(obj->kobj.parent,
					       struct klp_patch, kobj);
	struct kernfs_node *force;
	bool closed;

	force = sysfs_get_dirent(patch->kobj.sd, "force");
	closed = force && !(force->mode & 0222);
	sysfs_put(force);
	return patch->forced || !closed;
}

static void post_patch(struct klp_object *obj)
{
	if (may_have_been_forced(obj)) {
		pr_warn("the transition may have been forced: staying in compatible mode\n");
		return;
	}
	mmn_go_native();
}

static void pre_unpatch(struct klp_object *obj)
{
	mmn_go_compatible();
}

static struct klp_object objs[] = {
	{
		/* no name: vmlinux */
		.funcs = funcs,
		.callbacks = {
			.pre_patch = pre_patch,
			.post_patch = post_patch,
			.pre_unpatch = pre_unpatch,
		},
	},
	{}
};

/*
 * Native mode is a state of the system that only our own pre_unpatch undoes.
 * livepatch calls no callbacks of a patch that an atomic replace removes, but
 * it refuses the replacing patch if that does not know this state.
 */
static struct klp_state states[] = {
	{ .id = 0x6d6d6e, .version = 1 },	/* "mmn" */
	{}
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objs,
	.states = states,
};

/**
 * mmn_livepatch_enable() - hand the kernel's MMU notifiers over to Rust
 *
 * When it succeeds the module's init must not fail any more. When it fails no
 * task has been in any of the Rust functions.
 *
 * Context: init of the module; may sleep.
 * Return: 0, or the negative error of klp_enable_patch().
 */
int mmn_livepatch_enable(void)
{
	int ret = klp_enable_patch(&patch);

	if (ret)
		pr_err("livepatch refused to take over (%d); nothing has changed\n",
		       ret);
	return ret;
}

MODULE_INFO(livepatch, "Y");
