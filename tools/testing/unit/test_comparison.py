# SPDX-License-Identifier: GPL-2.0
"""What is called a difference between two cores, and what is wrong on both."""

import sys
import unittest
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING.parent / "lib"), str(_TESTING / "upstream")]

import comparison  # noqa: E402
import groups  # noqa: E402
import runs  # noqa: E402
import tap  # noqa: E402
from runner import Outcome  # noqa: E402

_PROGRAM = runs.Program("a", "a", calls=("invalidate_range_start", "start.UNMAP"))
_COUNTS = {"invalidate_range_start": 40, "invalidate_range_end": 40, "start.UNMAP": 40}


def outcome(counts=None, **verdicts):
    return Outcome([0], 1.0, {"program": "pass"} | verdicts, {}, _COUNTS | (counts or {}))


class Comparison(unittest.TestCase):
    def problems(self, c, rust, program=_PROGRAM):
        return comparison.problems(program, {"c": c, "rust": rust})

    def test_alike(self):
        self.assertEqual(self.problems(outcome(), outcome()), [])

    def test_another_verdict(self):
        self.assertEqual(self.problems(outcome(x="pass"), outcome(x="skip")),
                         ["x: pass with C, skip with Rust"])

    def test_a_missing_test(self):
        self.assertEqual(self.problems(outcome(x="pass"), outcome()),
                         ["x: pass with C, missing with Rust"])

    def test_fails_on_both(self):
        self.assertEqual(self.problems(outcome(x="fail"), outcome(x="fail")),
                         ["c: x: fail", "rust: x: fail"])

    def test_fails_on_both_for_a_reason(self):
        program = runs.Program("a", "a", fails=(("x", "not in this guest"),))
        self.assertEqual(self.problems(outcome(x="fail"), outcome(x="fail"), program), [])

    def test_never_called(self):
        none = {"invalidate_range_start": 0, "invalidate_range_end": 0, "start.UNMAP": 0}
        self.assertIn("rust: never called for invalidate_range_start start.UNMAP",
                      self.problems(outcome(), outcome(none)))

    def test_another_event(self):
        self.assertEqual(self.problems(outcome({"start.CLEAR": 32}), outcome()),
                         ["start.CLEAR: 32 with C, 0 with Rust"])
        self.assertEqual(self.problems(outcome({"start.CLEAR": 31}), outcome()), [])

    def test_starts_without_ends(self):
        self.assertEqual(self.problems(outcome(), outcome({"invalidate_range_end": 39})),
                         ["rust: 40 starts, 39 ends, 0 without an end"])
        unended = outcome({"invalidate_range_end": 39, "unended": 1})
        self.assertEqual(self.problems(outcome(), unended), ["rust: 1 starts without an end"])
        racing = runs.Program("a", "a", races_with_exit=True)
        self.assertEqual(self.problems(outcome(), unended, racing), [])

    def test_what_must_never_be(self):
        self.assertEqual(self.problems(outcome(), outcome({"wrong.end_without_start": 2})),
                         ["rust: 2 end_without_start"])

    def test_called_by_the_other_core(self):
        self.assertEqual(self.problems(outcome({"f.from_c": 3}), outcome({"f.from_rust": 4})), [])
        self.assertEqual(self.problems(outcome(), outcome({"f.from_c": 1})),
                         ["rust: 1 f.from_c"])

    def test_not_run(self):
        self.assertIn("rust: not run", self.problems(outcome(), Outcome()))

    def test_all_skipped(self):
        skipped = Outcome([4], 1.0, {"program": "skip"})
        self.assertEqual(self.problems(skipped, skipped), [])
        self.assertEqual(comparison.verdict(_PROGRAM, skipped), "skip")
        self.assertEqual(comparison.verdict(_PROGRAM, outcome()), "pass")
        self.assertEqual(comparison.verdict(_PROGRAM, outcome(x="fail")), "fail")

    def test_passed_once(self):
        unsteady = Outcome()
        for verdict in ("fail", "pass", "fail"):
            unsteady.add(0, 1.0, {"program": verdict}, {"release": 1})
        self.assertEqual(unsteady.verdicts, {"program": "pass"})
        self.assertEqual(unsteady.passes, {"program": 1})
        self.assertEqual(unsteady.counts, {"release": 3})


class Verdicts(unittest.TestCase):
    def test_names_that_come_twice(self):
        self.assertEqual(tap.verdicts("1..2\nok 1 a\nnot ok 2 a\n"), {"a": "pass", "a (2)": "fail"})

    def test_a_skip_without_a_name(self):
        self.assertEqual(tap.verdicts("ok 1 # SKIP no memory\n"), {"no memory": "skip"})

    def test_a_plan_that_is_not_kept(self):
        self.assertEqual(tap.verdicts("1..3\nok 1 a\n"), {"a": "pass", "plan": "1 of 3"})

    def test_nothing(self):
        self.assertEqual(tap.verdicts("Bail out!\n"), {})
        self.assertEqual(tap.verdicts("1..1\nBail out!\n"), {"plan": "0 of 1"})
        self.assertEqual(tap.verdicts("1..0 # SKIP no memory\n"), {})


class Runs(unittest.TestCase):
    def test_names_are_unique(self):
        names = [run.name for kind in groups.GROUPS for run in kind.runs]
        self.assertEqual(len(names), len(set(names)))

    def test_chosen(self):
        every = runs.chosen(runs.MM_RUNS, whole=True)
        self.assertEqual(every, list(runs.MM_RUNS))
        self.assertTrue(set(runs.chosen(runs.MM_RUNS)) < set(every))
        self.assertEqual([run.name for run in runs.chosen(every, names=["cow"])], ["cow"])


if __name__ == "__main__":
    unittest.main()
