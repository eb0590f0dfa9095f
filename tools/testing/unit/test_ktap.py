# SPDX-License-Identifier: GPL-2.0
"""The reader of KUnit's results."""

import unittest

import ktap

_WHOLE = """\
[    0.100000] KTAP version 1
[    0.100000] 1..2
[    0.110000]     KTAP version 1
[    0.110000]     # Subtest: mmu_notifier_seq
[    0.110000]     # speed: normal
[    0.120000]     1..3
[    0.120000]     ok 1 begins_and_ends
[    0.120000] another line of the kernel
[    0.130000]     # wraps: ASSERTION FAILED at mm/mmu_notifier_rust/seq.rs:77
[    0.130000]     Expected a == b to be true, but is false
[    0.130000]     not ok 2 wraps
[    0.130000]     ok 3 sometimes # SKIP not on this processor
[    0.130000] # mmu_notifier_seq: pass:1 fail:1 skip:1 total:3
[    0.130000] # Totals: pass:1 fail:1 skip:1 total:3
[    0.130000] not ok 1 mmu_notifier_seq
[    0.140000]     KTAP version 1
[    0.140000]     # Subtest: list_sort
[    0.140000]     1..1
[    0.140000]     ok 1 list_sort_test
[    0.140000] ok 2 list_sort
"""


class Ktap(unittest.TestCase):
    def _verdicts(self, log, prefix=""):
        return [(outcome.suite, outcome.test, outcome.verdict)
                for outcome in ktap.outcomes(log, prefix)]

    def test_each_test_is_told(self):
        self.assertEqual(self._verdicts(_WHOLE), [
            ("mmu_notifier_seq", "begins_and_ends", "pass"),
            ("mmu_notifier_seq", "wraps", "fail"),
            ("mmu_notifier_seq", "sometimes", "skip"),
            ("list_sort", "list_sort_test", "pass")])

    def test_reasons_are_told(self):
        notes = [outcome.note for outcome in ktap.outcomes(_WHOLE)]
        self.assertEqual(notes[0], "")
        self.assertIn("seq.rs:77", notes[1])
        self.assertIn("Expected a == b", notes[1])
        self.assertEqual(notes[2], "not on this processor")

    def test_only_what_is_asked_for(self):
        self.assertEqual(len(self._verdicts(_WHOLE, "mmu_notifier")), 3)

    def test_with_and_without_timestamps(self):
        bare = "".join(f"{line[15:]}\n" for line in _WHOLE.splitlines())
        self.assertEqual(self._verdicts(bare), self._verdicts(_WHOLE))
        syslog = "".join(f"<6>{line}\n" for line in _WHOLE.splitlines())
        self.assertEqual(self._verdicts(syslog), self._verdicts(_WHOLE))

    def test_a_kernel_that_dies_has_failed(self):
        log = _WHOLE[:_WHOLE.index("[    0.130000]     # wraps")]
        self.assertEqual(self._verdicts(log)[-1], ("mmu_notifier_seq", "suite", "fail"))
        self.assertIn("1 of 3", ktap.outcomes(log)[-1].note)

    def test_a_test_that_is_lost_has_failed(self):
        log = _WHOLE.replace("[    0.120000]     ok 1 begins_and_ends\n", "")
        self.assertIn(("mmu_notifier_seq", "suite", "fail"), self._verdicts(log))

    def test_another_thread_cannot_fail_unnoticed(self):
        said = "[    0.120000]     Failure not reported to KUnit since this is a non-KUnit task\n"
        log = _WHOLE.replace("[    0.120000]     ok 1", said + "[    0.120000]     ok 1")
        self.assertEqual(self._verdicts(log)[0], ("mmu_notifier_seq", "begins_and_ends", "fail"))

    def test_suites_that_did_not_run_are_told(self):
        found = ktap.outcomes(_WHOLE)
        lost = ktap.missing(found, ["mmu_notifier_seq", "mmu_notifier_itree"])
        self.assertEqual([(outcome.suite, outcome.verdict) for outcome in lost],
                         [("mmu_notifier_itree", "fail")])
