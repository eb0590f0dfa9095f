# SPDX-License-Identifier: GPL-2.0
"""What is read out of upstream's programs, and what is called a leak."""

import sys
import unittest
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING.parent / "lib"), str(_TESTING / "upstream"),
                str(_TESTING / "takeover")]

import hmm_load  # noqa: E402
import leaks  # noqa: E402
import tap  # noqa: E402

_OUTPUT = """TAP version 13
1..4
# Starting 4 tests
ok 1 a.reads
not ok 2 a.writes
ok 3 b.coherent # SKIP DEVICE_COHERENT not available
ok 4 - c.old_style
# Totals: pass:2 fail:1
"""


class Tap(unittest.TestCase):
    def test_verdicts(self):
        self.assertEqual(tap.results(_OUTPUT), {"a.reads": "pass", "a.writes": "fail",
                                                "b.coherent": "skip", "c.old_style": "pass"})

    def test_a_test_is_missing(self):
        with self.assertRaises(tap.Malformed):
            tap.results(_OUTPUT.replace("ok 4 - c.old_style\n", ""))

    def test_no_plan(self):
        with self.assertRaises(tap.Malformed):
            tap.results("ok 1 a.reads\n")

    def test_reported_twice(self):
        with self.assertRaises(tap.Malformed):
            tap.results(_OUTPUT.replace("c.old_style", "a.reads"))

    def test_counts(self):
        verdicts = tap.results(_OUTPUT).values()
        self.assertEqual(tap.counts(verdicts), "2 pass, 1 skip, 1 fail")


class HmmLoad(unittest.TestCase):
    GOOD = "1..2\nok 1 hmm.a.reads\nok 2 hmm.b.writes\n"
    SLOW = ("1..2\n# reads: Test terminated by timeout\n#          FAIL  hmm.a.reads\n"
            "not ok 1 hmm.a.reads\nok 2 hmm.b.writes\n")
    BAD = "1..2\nok 1 hmm.a.reads\nnot ok 2 hmm.b.writes\n"

    def test_good(self):
        self.assertEqual(hmm_load.judge([self.GOOD, self.GOOD, "1..2\nok 1"]), [])

    def test_out_of_time_in_one_pass(self):
        self.assertEqual(hmm_load.judge([self.GOOD, self.SLOW, self.SLOW]), [])

    def test_out_of_time_in_all_passes(self):
        self.assertEqual(hmm_load.judge([self.SLOW, self.SLOW, ""]), ["hmm.a.reads: never in time"])

    def test_failed(self):
        for passes in ([self.GOOD, self.BAD, ""], [self.GOOD, self.BAD]):
            with self.subTest(passes):
                self.assertEqual(hmm_load.judge(passes), ["hmm.b.writes: fail and pass"])

    def test_no_whole_pass(self):
        self.assertEqual(hmm_load.judge([self.GOOD]), ["not one pass was whole"])
        self.assertEqual(hmm_load.judge([]), ["not one pass was whole"])


class Leaks(unittest.TestCase):
    BEFORE = {"mm_struct": 5, "kmalloc-64": 100, "references to kvm": 1, "VmallocUsed": 1000}

    def grown(self, **more):
        after = {what: amount + more.get(what.replace("-", "_").replace(" ", "_"), 0)
                 for what, amount in self.BEFORE.items()}
        return leaks.grown(self.BEFORE, after, takeovers=50)

    def test_nothing(self):
        self.assertEqual(self.grown(mm_struct=4, kmalloc_64=20, VmallocUsed=100), [])

    def test_one_a_takeover(self):
        self.assertEqual(len(self.grown(kmalloc_64=50)), 1)
        self.assertEqual(len(self.grown(VmallocUsed=50 * 8)), 1)

    def test_a_process(self):
        self.assertEqual(len(self.grown(mm_struct=5)), 1)

    def test_a_reference(self):
        self.assertEqual(len(self.grown(references_to_kvm=1)), 1)

    def test_a_cache_that_was_not_there(self):
        self.assertEqual(leaks.grown({}, {"kmalloc-8k": 60}, takeovers=50),
                         ["kmalloc-8k: 0 before, 60 after"])


if __name__ == "__main__":
    unittest.main()
