# SPDX-License-Identifier: GPL-2.0
"""`make check` itself: no result is lost, and no failure looks like a success."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import check_suite
import project
from check_report import DuplicateTest, Report
from check_suite import Suite


class Checking(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = Path(scratch.name)
        self.output = io.StringIO()
        self.enterContext(contextlib.redirect_stdout(self.output))
        self.enterContext(mock.patch.object(project, "RESULTS", self.directory))
        self.report = Report(self.directory, "1.2.3")

    def suite(self, name, text, **limits):
        path = self.directory / f"{name}.py"
        path.write_text(text)
        Suite(path).run(self.report, **limits)

    def finish(self):
        status = self.report.finish()
        return status, json.loads((self.directory / "summary.json").read_text())

    def results(self):
        return [(test["name"], test["result"]) for test in self.finish()[1]["tests"]]


class Reporting(Checking):
    def test_summary(self):
        self.report.result("a.b", "c", "pass", 1.23456, "two\nlines")
        self.report.result("a.b", "rust", "skip")
        self.report.count_takeovers(3)
        self.assertEqual(self.finish(), (0, {
            "kernel": "1.2.3",
            "tests": [{"name": "a.b", "core": "c", "result": "pass", "seconds": 1.235,
                       "note": "two lines"},
                      {"name": "a.b", "core": "rust", "result": "skip", "seconds": 0.0,
                       "note": ""}],
            "takeovers": 3,
            "totals": {"passed": 1, "failed": 0, "skipped": 1}}))
        self.assertEqual(self.output.getvalue().splitlines()[-1], "1 passed, 0 failed, 1 skipped")

    def test_one_failure_fails_the_run(self):
        self.report.result("a", "-", "pass")
        self.report.result("b", "-", "fail")
        self.assertEqual(self.finish()[0], 1)

    def test_nothing_passed_fails_the_run(self):
        self.report.result("a", "-", "skip")
        self.assertEqual(self.finish()[0], 1)

    def test_duplicate_is_an_error(self):
        self.report.result("a", "c", "fail")
        with self.assertRaises(DuplicateTest):
            self.report.result("a", "c", "pass")

    def test_unknown_outcome_is_an_error(self):
        with self.assertRaises(ValueError):
            self.report.result("a", "c", "ok")

    def test_selection_has_a_summary_of_its_own(self):
        self.finish()
        Report(self.directory, "1.2.3", whole=False).finish()
        self.assertEqual({path.name for path in self.directory.glob("*.json")},
                         {"summary.json", "summary.selected.json"})

    def test_old_summary_does_not_survive_the_start(self):
        self.finish()
        Report(self.directory, "1.2.3")
        self.assertFalse((self.directory / "summary.json").exists())


class Suites(Checking):
    def test_exception_fails_and_the_next_suite_runs(self):
        self.suite("one", "def run(check):\n    raise ValueError('broken')\n")
        self.suite("two", "def run(check):\n    check.result('x', '-', 'pass')\n")
        self.assertEqual(self.results(), [("one.suite", "fail"), ("two.x", "pass")])
        self.assertIn("broken", (self.directory / "one/suite.traceback").read_text())

    def test_exit_and_syntax_error_and_silence_are_failures(self):
        self.suite("leaves", "def run(check):\n    raise SystemExit(0)\n")
        self.suite("garbled", "def run(:\n")
        self.suite("silent", "def run(check):\n    pass\n")
        self.assertEqual([outcome for _, outcome in self.results()], ["fail"] * 3)

    def test_endless_suite_is_stopped(self):
        self.suite("endless", "TIMEOUT = 1\ndef run(check):\n    while True: pass\n")
        self.assertEqual(self.results(), [("endless.suite", "fail")])

    def test_endless_test_stops_the_suite(self):
        self.suite("endless", "TIMEOUT = 1\ndef run(check):\n"
                              "    with check.test('first', '-'):\n"
                              "        while True: pass\n"
                              "    with check.test('second', '-'):\n"
                              "        while True: pass\n")
        self.assertEqual(self.results(), [("endless.suite", "fail")])

    def test_time_of_the_whole_check_ends_a_suite(self):
        self.suite("endless", "def run(check):\n    while True: pass\n", left=1)
        self.suite("late", "def run(check):\n    check.result('x', '-', 'pass')\n", left=-1)
        self.assertEqual(self.results(), [("endless.suite", "fail"), ("late.suite", "fail")])

    def test_what_does_not_fit_is_skipped(self):
        self.suite("endless", "import time\ndef run(check):\n"
                              "    check.result('first', '-', 'pass')\n"
                              "    try:\n"
                              "        time.sleep(60)\n"
                              "    finally:\n"
                              "        check.result('guest', '-', 'fail')\n", left=1, fit=True)
        self.suite("late", "def run(check):\n    check.result('x', '-', 'pass')\n", left=-1, fit=True)
        self.assertEqual(self.results(), [("endless.first", "pass"), ("endless.suite", "skip"),
                                          ("late.suite", "skip")])

    def test_what_the_kernel_said_before_the_cut_is_judged(self):
        self.suite("endless", "import time\n"
                              "class Fake:\n"
                              "    alive, boot_seconds, races_elsewhere = False, 0, 0\n"
                              "    def __init__(self, *_, **__): pass\n"
                              "    def __enter__(self): return self\n"
                              "    def __exit__(self, *_): raise ValueError('gone')\n"
                              "    def unexpected(self, _): return ['BUG: x'] * self.bugs\n"
                              "class Silent(Fake): bugs = 0\n"
                              "class Loud(Fake): bugs = 1\n"
                              "def run(check):\n"
                              "    with check.guest('silent', kind=Silent):\n"
                              "        with check.guest('loud', kind=Loud):\n"
                              "            time.sleep(60)\n", left=1, fit=True)
        self.assertEqual(self.results(), [("endless.loud.kernel_log", "fail"),
                                          ("endless.suite", "skip")])

    def test_what_hangs_is_not_said_not_to_fit(self):
        self.suite("endless", "TIMEOUT = 1\ndef run(check):\n    while True: pass\n", left=60, fit=True)
        self.assertEqual(self.results(), [("endless.suite", "fail")])

    def test_what_has_long_been_silent_hangs(self):
        with mock.patch.object(check_suite, "_SILENCE", 0.01), \
                mock.patch.object(check_suite, "_GRACE", 1):
            self.suite("endless", "import time\n"
                                  "def run(check):\n"
                                  "    check.result('x', '-', 'pass')\n"
                                  "    try:\n"
                                  "        time.sleep(60)\n"
                                  "    finally:\n"
                                  "        check.result('guest', '-', 'fail')\n"
                                  "        time.sleep(60)\n", left=1, fit=True)
        self.assertEqual(self.results(), [("endless.x", "pass"), ("endless.guest", "fail"),
                                          ("endless.suite", "fail")])

    def test_no_time_excuses_no_suite_that_is_broken(self):
        self.suite("garbled", "def run(:\n", left=-1, fit=True)
        self.assertEqual(self.results(), [("garbled.suite", "fail")])

    def test_clean_up_that_hangs_is_ended(self):
        with mock.patch.object(check_suite, "_GRACE", 1):
            self.suite("endless", "import time\n"
                                  "def run(check):\n"
                                  "    try:\n"
                                  "        time.sleep(60)\n"
                                  "    finally:\n"
                                  "        while True: time.sleep(1)\n", left=1)
        self.assertEqual(self.results(), [("endless.suite", "fail")])

    def test_duplicate_in_a_suite_fails_it(self):
        self.suite("twice", "def run(check):\n"
                            "    check.result('x', 'c', 'pass')\n"
                            "    check.result('x', 'c', 'pass')\n")
        self.assertEqual(self.results(), [("twice.x", "pass"), ("twice.suite", "fail")])

    def test_test_block(self):
        self.suite("blocks", "def run(check):\n"
                             "    with check.test('good', 'c'): pass\n"
                             "    with check.test('bad', 'c'): assert 1 == 2\n"
                             "    with check.test('after', 'c'): pass\n")
        self.assertEqual(self.results(), [("blocks.good", "pass"), ("blocks.bad", "fail"),
                                          ("blocks.after", "pass")])


if __name__ == "__main__":
    unittest.main()
