/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPARE_KHUGEPAGED_H
#define COMPARE_KHUGEPAGED_H

/*
 * Returns when khugepaged has looked at all memory and sleeps for
 * scan_sleep_millisecs, out of which nothing wakes it as long as this process
 * lives: it waits for work, and wakes with the first that comes, only where
 * nobody is left for it to look at. Exits if that cannot be had.
 */
void khugepaged_sleeps(void);

#endif
