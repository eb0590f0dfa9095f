# SPDX-License-Identifier: GPL-2.0
"""The unit tests in the core's sources and the breaks that they are to notice: names that fit."""

import re
import sys
import tomllib
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kunit"))

import uml  # noqa: E402


def _tests():
    """All tests as "suite test"; a suite is a module, which ends with its file."""
    found = set()
    for path in uml.series.core_files():
        _, *parts = re.split(r"kunit_tests\((\w+)\)", (uml.TOP / path).read_text())
        for suite, text in zip(parts[::2], parts[1::2]):
            found |= {f"{suite.removeprefix(uml.PREFIX)} {name}"
                      for name in re.findall(r"#\[test\]\n\s+fn (\w+)", text)}
    return found


class Kunit(unittest.TestCase):
    def test_suites_have_names_of_their_own(self):
        suites = uml.suites()
        self.assertEqual(len(suites), len(set(suites)))
        self.assertEqual([], [name for name in suites if not name.startswith(uml.PREFIX)])

    def test_every_file_of_tests_is_part_of_the_core(self):
        text = "".join((uml.TOP / path).read_text() for path in uml.series.core_files())
        tests = "".join((uml.TOP / name).read_text() for name in uml.series.test_sources())
        for name in uml.series.test_sources():
            # Named by the file that it tests, or by a file of tests beside it.
            self.assertTrue(f'#[path = "{name}"]' in text or
                            f"\nmod {Path(name).stem};\n" in tests, name)

    def test_breaks_fit_the_sources(self):
        mutants = tomllib.loads((uml.TESTING / "kunit/mutants.toml").read_text())
        tests = _tests()
        for name, entry in mutants.items():
            with self.subTest(name):
                self.assertEqual([], [test for test in entry["caught_by"] if test not in tests])
                for edit in entry["edits"]:
                    text = (uml.TOP / edit["file"]).read_text()
                    self.assertEqual(1, text.count(edit["search"]), edit["search"])
