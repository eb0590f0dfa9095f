/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core in Rust calls in its own C files.
 */

#include "account.h"
#include "debugfs.h"
#include "gate.h"
#include "helpers.h"
#include "monitor.h"
#include "observe.h"
#include "params.h"
#include "private.h"
#include "processes.h"
#include "slots.h"
