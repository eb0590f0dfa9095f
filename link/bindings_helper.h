/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module calls beside what any core does.
 */

#include "../rust/bindings_helper.h"
#include "livepatch.h"
