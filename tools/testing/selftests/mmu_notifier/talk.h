/* SPDX-License-Identifier: GPL-2.0 */
/* A test that is told by its suite, on standard input, when to go on. */
#ifndef MNT_TALK_H
#define MNT_TALK_H

#include "harness.h"

static inline void expect_word(struct __test_metadata *_metadata, const char *word)
{
	char line[16] = "";

	ASSERT_NE(NULL, fgets(line, sizeof(line), stdin));
	line[strcspn(line, "\n")] = '\0';
	ASSERT_STREQ(word, line);
}

#endif
