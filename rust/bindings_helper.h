/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core in Rust calls in the project's own C files.
 */

#include "helpers.h"
#include "monitor.h"
#include "slots.h"
#include "../link/livepatch.h"
