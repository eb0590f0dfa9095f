// SPDX-License-Identifier: GPL-2.0
#include "operations.h"

const struct operation operations[] = {
	{ "store", 6, ALL_KINDS, false, op_store },
	{ "unmap", 6, ALL_KINDS, true, op_unmap },
	{ "map", 10, ALL_KINDS, true, op_map },
	{ "replace", 6, ALL_KINDS, true, op_replace },
	{ "discard", 8, ALL_KINDS, true, op_discard },
	{ "free", 3, ANONYMOUS_KINDS, true, op_free },
	{ "protect", 8, ALL_KINDS, false, op_protect },
	{ "allow", 8, ALL_KINDS, false, op_allow },
	{ "soft_dirty", 4, ANONYMOUS_KINDS, false, op_soft_dirty },
	{ "move", 6, SMALL_KINDS & ~KIND(USERFAULT), true, op_move },
	{ "move_away", 4, SMALL_KINDS & ~KIND(USERFAULT), true, op_move_away },
	{ "fork", 8, PRIVATE_KINDS, false, op_fork },
	{ "exit", 2, ANONYMOUS_KINDS & ~KIND(USERFAULT), false, op_exit },
	{ "migrate", 8, ALL_KINDS, false, op_migrate },
	{ "collapse", 4, KIND(TRANSPARENT), false, op_collapse },
	{ "split", 3, KIND(TRANSPARENT), false, op_split },
	{ "page_out", 8, SMALL_KINDS, false, op_page_out },
	{ "merge", 4, KIND(ANONYMOUS), false, op_merge },
	{ "unmerge", 2, KIND(ANONYMOUS), false, op_unmerge },
	{ "punch", 5, FILE_KINDS, true, op_punch },
	{ "truncate", 5, FILE_KINDS, true, op_truncate },
	{ "write_back", 6, KIND(DISK), false, op_write_back },
	{ "guard", 8, KIND(USERFAULT), false, op_guard },
	{ "move_in", 6, KIND(USERFAULT), true, op_move_in },
	{ "to_device", 6, KIND(UNMERGED) | KIND(TRANSPARENT), false, op_to_device },
	{ "to_system", 3, KIND(UNMERGED) | KIND(TRANSPARENT), false, op_to_system },
	{ "exclusive", 6, ANONYMOUS_KINDS & ~KIND(USERFAULT), false, op_exclusive },
};

const unsigned int operation_count = sizeof(operations) / sizeof(*operations);

_Static_assert(sizeof(operations) / sizeof(*operations) <= OPERATIONS_MAX, "count them all");
