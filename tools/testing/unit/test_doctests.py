# SPDX-License-Identifier: GPL-2.0
"""How the examples of the interface crate are told apart and judged."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

_TOOLS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TOOLS / folder) for folder in ("lib", "build", "testing/interface")]

import doctests  # noqa: E402
import generate  # noqa: E402

_RUSTDOC = """
running 3 tests
test ../rust/mmu_notifier/b.rs - b::Type<'a>::name (line 9) - compile ... ok
test ../rust/mmu_notifier/a.rs - a (line 12) - compile fail ... FAILED
test ../rust/mmu_notifier/a.rs - a (line 3) - compile fail ... ok
"""
_LOG = """\
[    1.0] mmu_notifier_doctests: loading out-of-tree module taints kernel.
[    2.0] mmu_notifier_doctests: 1..2
[    2.1] mmu_notifier_doctests: ok 1 a (rust/a.rs:3)
[    2.2] mmu_notifier_doctests: # line 9: x is 1, not 2
[    2.3] mmu_notifier_doctests: # line 10: y does not hold
[    2.4] mmu_notifier_doctests: not ok 2 b::c (rust/b.rs:7)
"""


class Examples(unittest.TestCase):
    def test_names_are_unique_and_in_order(self):
        found = generate.examples(_RUSTDOC)
        self.assertEqual([example.name for example in found], ["a", "a.2", "b::Type<'a>::name"])
        self.assertEqual(found[0].place, "rust/mmu_notifier/a.rs:3")
        self.assertEqual(found[2].function, "_doctest_main____rust_mmu_notifier_b_rs_9_")

    def test_assertions_tell_the_line_of_the_documentation(self):
        example = generate.examples(_RUSTDOC)[2]
        source = generate.module("// head\n", [(example, "extern\npub(crate) fn main() {\nx\n}")])
        lines = source.splitlines()
        anchor = next(number for number, line in enumerate(lines, 1) if "ANCHOR" in line)
        shift = int(lines[anchor - 1].rpartition("line!() - ")[2].partition(";")[0])
        self.assertEqual(lines.index("x") + 1 - (anchor - shift), 10)


class Verdicts(unittest.TestCase):
    def test_of_the_module(self):
        self.assertEqual(doctests.verdicts(_LOG), {
            "a": ("pass", ""),
            "b::c": ("fail", "line 9: x is 1, not 2; line 10: y does not hold")})

    def test_one_is_missing(self):
        with self.assertRaises(doctests.Malformed):
            doctests.verdicts(_LOG.replace("1..2", "1..3"))


class Refused(unittest.TestCase):
    def refused(self, attributes, said, verdict="ok"):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "examples").mkdir()
            (folder / "examples/_doctest_main_a_rs_1_0.stderr").write_text(said)
            (folder / "examples.log").write_text(
                f"running 1 test\ntest a.rs - a (line 1) - compile fail ... {verdict}")
            (folder / "a.rs").write_text(f"//! ```{attributes}\n")
            with mock.patch.object(doctests.project, "TOP", folder):
                tests = doctests.Doctests(folder)
                return tests.refused(tests.to_fail[0])

    def test_as_stated(self):
        self.assertEqual(self.refused("compile_fail,E0001,E0002",
                                      "error[E0001]: a\nerror[E0002]: b\n"
                                      "error: aborting due to 2 previous errors\n"), "E0001 E0002")

    def test_not_as_stated(self):
        for attributes, said, verdict in (
                ("compile_fail,E0001", "", "FAILED"),
                ("compile_fail", "error[E0001]: a\n", "ok"),
                ("compile_fail,E0001", "error[E0001]: a\nerror[E0002]: b\n", "ok"),
                ("compile_fail,E0001", "error[E0001]: a\nerror: b\n", "ok")):
            with self.subTest(attributes), self.assertRaises(AssertionError):
                self.refused(attributes, said, verdict)


if __name__ == "__main__":
    unittest.main()
