/* SPDX-License-Identifier: GPL-2.0 */
/* The record of a session as lines of text, which records.py reads. */
#ifndef COMPARE_LINES_H
#define COMPARE_LINES_H

/*
 * Prints what has been recorded since the last call, one line for an event:
 *
 *	! slot hook phase event blockable owned ret object tid seq start end
 *
 * and how many events were lost, if any.
 */
void lines_print(int session);

#endif
