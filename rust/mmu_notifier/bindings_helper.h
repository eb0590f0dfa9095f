/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the crate calls in its own C file.
 */

#include "helpers.h"
