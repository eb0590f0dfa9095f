# SPDX-License-Identifier: GPL-2.0
"""Whose a data race is, by the stacks of its report."""

import unittest

import race_reports

_LINE = "=" * 66


def report(top, other=" vfs_read+0x10/0x20", header="a / b"):
    lines = [_LINE, f"BUG: KCSAN: data-race in {header}", "",
             "write to 0xffff888001 of 8 bytes by task 77 on cpu 1:", *top.splitlines(),
             " entry_SYSCALL_64_after_hwframe+0x4b/0x53", "",
             "read to 0xffff888001 of 8 bytes by interrupt on cpu 0:", other, "",
             "value changed: 0x1 -> 0x2", "", "Reported by Kernel Concurrency Sanitizer on:",
             "CPU: 0 UID: 0 PID: 78 Comm: x", _LINE]
    return "".join(f"[    1.{number:06}] {line}\n" for number, line in enumerate(lines))


class Whose(unittest.TestCase):
    def test_of_the_core(self):
        for top in (" __mmu_notifier_release+0x1/0x2",
                    " _RNvNtCs1_12mmu_notifier5itree6insert+0x1/0x2",
                    " interval_tree_insert+0x1/0x2\n mmu_interval_notifier_insert+0x1/0x2",
                    " mn_hlist_release+0x1/0x2"):
            self.assertTrue(race_reports.of_the_core(report(top)), top)
        self.assertTrue(race_reports.of_the_core(
            report(" vfs_write+0x1/0x2", " mmn_slot_put+0x1/0x2")))

    def test_of_others(self):
        for top in (" vfs_write+0x1/0x2",
                    # A callback's own affair.
                    " dirty_log+0x1/0x2\n"
                    " __mmu_notifier_invalidate_range_start+0x1/0x2",
                    " rb_erase+0x1/0x2\n timerqueue_del+0x1/0x2",
                    " _RINvNtCs2_4core3ptr4read+0x1/0x2\n vfs_write+0x1/0x2"):
            self.assertFalse(race_reports.of_the_core(report(top)), top)

    def test_log(self):
        ours, theirs = report(" mn_itree_release+0x1/0x2"), report(" vfs_write+0x1/0x2")
        log = f"[    0.1] before\n{theirs}[    2.0] between\n{ours}[    3.0] after\n"
        rest, count = race_reports.elsewhere(log)
        self.assertEqual(count, 1)
        self.assertIn("mn_itree_release", rest)
        self.assertNotIn("vfs_write", rest)
        for word in ("before", "between", "after"):
            self.assertIn(word, rest)

    def test_what_another_processor_says_meanwhile(self):
        said = "[    1.5] INFO: task x blocked for more than 60 seconds.\n"
        head, tail = report(" vfs_write+0x1/0x2").split("[    1.000004]")
        self.assertEqual(race_reports.elsewhere(f"{head}{said}[    1.000004]{tail}"),
                         (f"[    1.000000] {_LINE}\n{said}", 1))

    def test_report_without_end(self):
        torn = report(" vfs_write+0x1/0x2").rsplit("[", 1)[0]
        self.assertEqual(race_reports.elsewhere(torn), (torn, 0))

    def test_whole(self):
        one = report(" vfs_write+0x1/0x2")
        self.assertEqual(race_reports.whole(one), one)
        torn = f"{one}[    2.0] between\n{one.rsplit('[', 1)[0]}"
        self.assertEqual(race_reports.whole(torn),
                         f"{one}[    2.0] between\n[    1.000000] {_LINE}\n")


if __name__ == "__main__":
    unittest.main()
