/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parameters that a user sees, in /sys/module/mmu_notifier_rust/parameters.
 */
#ifndef MMN_PARAMS_H
#define MMN_PARAMS_H

#include <linux/types.h>

/* Seconds until a callback counts as stuck; 0 for never. */
unsigned int mmn_stuck_after(void);
void mmn_count_stuck(void);
unsigned int mmn_stuck_callbacks(void);

/* For tests: whether mm_lock has to do as if there were no memory for a list. */
bool mmn_mm_lock_searched(void);

#ifndef __BINDGEN__
/*
 * In Rust. The first two never run at the same time: livepatch calls them with
 * klp_mutex held, a parameter's writer with that of the parameters.
 */
void mmn_go_native(void);
void mmn_go_compatible(void);
bool mmn_mode_is_native(void);
#endif

#endif /* MMN_PARAMS_H */
