# SPDX-License-Identifier: GPL-2.0
"""The judge of the findings: C must fail in its known way, and Rust must not."""

import importlib.util
import sys
import unittest
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in ("selftests/mmu_notifier", "upstream")]
_SPEC = importlib.util.spec_from_file_location("suite_findings", _TESTING / "suites/findings.py")
findings = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = findings
_SPEC.loader.exec_module(findings)

SAYS = "the range stays active"


class Judge(unittest.TestCase):
    """findings.judge()"""

    def test_as_known(self):
        self.assertEqual("", findings.judge("c", SAYS, ["fail"], f"# x:1:y:{SAYS}\n"))
        self.assertEqual("", findings.judge("rust", SAYS, ["pass"], ""))

    def test_c_has_become_right(self):
        self.assertIn("no longer", findings.judge("c", SAYS, ["pass"], SAYS))

    def test_c_fails_otherwise(self):
        self.assertIn("another way", findings.judge("c", SAYS, ["fail"], "timed out"))

    def test_rust_fails(self):
        self.assertTrue(findings.judge("rust", SAYS, ["fail"], SAYS))

    def test_what_did_not_run(self):
        for core in "c", "rust":
            for verdicts in [], ["skip"], ["pass", "pass"]:
                self.assertTrue(findings.judge(core, SAYS, verdicts, SAYS))


class Documented(unittest.TestCase):
    """Documentation/findings.rst"""

    def test_each_has_its_command_and_its_words(self):
        text = (_TESTING.parents[1] / "Documentation/findings.rst").read_text()
        for finding in findings.FINDINGS:
            self.assertIn(f"{finding.program} -t {finding.test}", text)
            self.assertIn(f'"{finding.says}"', text)


if __name__ == "__main__":
    unittest.main()
