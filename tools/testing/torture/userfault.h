/* SPDX-License-Identifier: GPL-2.0 */
/* Serves the missing pages and write-protected pages of a USERFAULT region. */
#ifndef TORTURE_USERFAULT_H
#define TORTURE_USERFAULT_H

#include "region.h"

/* Opens the region's userfaultfd and starts the thread that serves it. */
bool userfault_start(struct region *region);

/* Registers newly mapped pages. 0 or -errno. */
int userfault_register(struct region *region, unsigned int first, unsigned int count);

/* Write protects pages: the next write to each one has to ask. 0 or -errno. */
int userfault_protect(struct region *region, unsigned int first, unsigned int count);

#endif
