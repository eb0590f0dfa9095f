// SPDX-License-Identifier: GPL-2.0
/*
 * What upstream's gup_test needs to be a module: get_pfnblock_migratetype() is
 * not exported, and asked only to tell pages of a CMA area, which guests lack.
 */

#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/pageblock-flags.h>

enum migratetype get_pfnblock_migratetype(const struct page *page, unsigned long pfn)
{
	return MIGRATE_UNMOVABLE;
}

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Upstream's gup_test");
