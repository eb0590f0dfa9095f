// SPDX-License-Identifier: GPL-2.0

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "monitor.h"
#include "params.h"

/* Whether there are parameters that only tests write to. */
#if defined(MODULE) || IS_ENABLED(CONFIG_MMU_NOTIFIER_KUNIT_TEST)
#define FOR_TESTS
#endif

static unsigned int stuck_after = 10;

static int stuck_after_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_uint(val, kp);

	if (!ret)
		mmn_monitor_reconsider();
	return ret;
}

static const struct kernel_param_ops stuck_after_ops = {
	.set = stuck_after_set,
	.get = param_get_uint,
};
module_param_cb(stuck_after, &stuck_after_ops, &stuck_after, 0644);
MODULE_PARM_DESC(stuck_after, "seconds until a callback is reported as stuck; 0: never (10)");

unsigned int mmn_stuck_after(void)
{
	return READ_ONCE(stuck_after);
}

static unsigned int stuck_callbacks;
module_param(stuck_callbacks, uint, 0444);
MODULE_PARM_DESC(stuck_callbacks, "how many callbacks were reported as stuck so far");

void mmn_count_stuck(void)
{
	WRITE_ONCE(stuck_callbacks, stuck_callbacks + 1);
}

unsigned int mmn_stuck_callbacks(void)
{
	return READ_ONCE(stuck_callbacks);
}

static bool mm_lock_searched;
#ifdef FOR_TESTS
module_param(mm_lock_searched, bool, 0644);
MODULE_PARM_DESC(mm_lock_searched,
		 "for tests: register without a list of locks, as when memory is short (N)");
#endif

bool mmn_mm_lock_searched(void)
{
	return READ_ONCE(mm_lock_searched);
}

static int mode_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n",
			  mmn_mode_is_native() ? "native" : "compatible");
}

static int mode_set(const char *val, const struct kernel_param *kp)
{
#ifdef MODULE
	pr_err("mode follows the livepatch and cannot be set\n");
	return -EPERM;
#elif defined(FOR_TESTS)
	/* On the command line it comes before there is anything to change. */
	if (system_state != SYSTEM_RUNNING)
		return -EBUSY;
	/* Nobody but this core serves, so either mode will do at any time. */
	if (sysfs_streq(val, "native"))
		mmn_go_native();
	else if (sysfs_streq(val, "compatible"))
		mmn_go_compatible();
	else
		return -EINVAL;
	return 0;
#else
	return -EPERM;
#endif
}

static const struct kernel_param_ops mode_ops = {
	.get = mode_get,
	.set = mode_set,
};

#if !defined(MODULE) && defined(FOR_TESTS)
#define MODE_PERMISSIONS 0644
#else
#define MODE_PERMISSIONS 0444
#endif
module_param_cb(mode, &mode_ops, NULL, MODE_PERMISSIONS);
MODULE_PARM_DESC(mode, "how the core works at this moment: compatible or native");
