/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: mode.rs: switch is_native mmn_go_native mmn_go_compatible
 * Code: domain.rs: read read_another_way synchronize
 * Code: monitor.rs: pass look has_reader take_stand_in end_stand_in leave_later exit
 * Code: link/livepatch.c: post_patch pre_unpatch
 * Code: pending.rs: free_later take_new free_ready free_by_srcu
 * Code: registration.rs: put synchronize
 * Code: takeover.rs: drop
 * Broken: NO_STAND_IN: safety
 * Broken: EARLY_LEAVE: safety
 * Broken: SAME_PASS: safety
 * Broken: NO_SRCU_BARRIER: safety
 *
 * Put, then synchronize, then the driver goes, while the module comes and goes.
 * No reader has what has been freed; nothing of the driver or of the module is
 * called when it is gone; and all come to their end.
 */
#define PUT
#define SLOTS		2

#include "takeover.h"
