/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code: mode.rs: switch is_native mmn_go_native mmn_go_compatible
 * Code: domain.rs: read read_plain read_another_way synchronize
 * Code: monitor.rs: pass look has_reader take_stand_in end_stand_in leave_later exit
 * Code: link/livepatch.c: post_patch pre_unpatch
 * Code: registration.rs: unregister
 * Broken: NO_STAND_IN: safety
 * Broken: LATE_STAND_IN: safety
 * Broken: MODE_BEFORE_SLOT: safety
 * Broken: NATIVE_TOO_EARLY: safety
 * Broken: SLOTS_ALONE: safety
 *
 * Unregister while the module comes and goes. No reader has what has been
 * freed, no task is in the module when it is gone, and all come to their end.
 */
#define UNREGISTER
#define SLOTS		1

#include "takeover.h"
