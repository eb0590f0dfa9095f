# SPDX-License-Identifier: GPL-2.0
"""The coverage of call sites: reading the source, the programs and the histograms, and judging."""

import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_TESTING / "coverage"))

import compiled_calls  # noqa: E402
import outcome  # noqa: E402
import sites  # noqa: E402
import source_calls  # noqa: E402
import test_programs  # noqa: E402
import tracing  # noqa: E402

HEADER = """\
static inline bool young_notify(struct vm_area_struct *vma,
\t\tunsigned long addr)
{
\treturn mmu_notifier_clear_young(vma->vm_mm, addr, addr + 1);
}
"""
SOURCE = """\
/* mmu_notifier_invalidate_range_start() in a comment */
static int
one(struct mm_struct *mm)
\t__releases(mm)
{
\tmmu_notifier_invalidate_range_start(&range);
\tmmu_notifier_invalidate_range_end(&range);
\tprintk("mmu_notifier_test_young(");
\treturn 0;
}

bool two(struct vm_area_struct *vma)
{
\tif (young_notify(vma, 0))
\t\treturn true;
\treturn young_notify(vma, 1);
}
"""


def in_tree(**files):
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            path = Path(tree) / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return source_calls.find(Path(tree))


def instruction(symbol, offset, hook, *frames):
    return compiled_calls.Instruction(symbol, offset, hook, tuple(
        compiled_calls.Frame(*frame) for frame in frames))


class Source(unittest.TestCase):
    def test_calls_and_those_of_headers(self):
        calls = in_tree(mm__internal_h=HEADER, mm__a_c=SOURCE)
        self.assertEqual([(call.function, call.line, call.hook) for call in calls],
                         [("one", 6, "range"), ("two", 14, "clear_young"),
                          ("two", 16, "clear_young")])

    def test_other_architectures_are_not_ours(self):
        calls = in_tree(arch__arm__a_c=SOURCE, mm__b_c=SOURCE.replace("young", "x"))
        self.assertEqual({call.file for call in calls}, {"mm/b.c"})

    def test_a_call_outside_of_functions(self):
        with self.assertRaises(source_calls.SourceError):
            in_tree(mm__a_c="int x = mmu_notifier_test_young(mm, 0);\n")

    def test_a_range_that_is_never_ended(self):
        with self.assertRaises(source_calls.SourceError):
            in_tree(mm__a_c=SOURCE.replace("_range_end(", "_range_stop("))


class Sites(unittest.TestCase):
    CALLS = [source_calls.Call("mm/a.c", "one", 6, "start", "range"),
             source_calls.Call("mm/a.c", "two", 14, "young", "clear_young"),
             source_calls.Call("mm/a.c", "two", 16, "young", "clear_young")]

    OPTIONS = {"mm/a.c": None}

    def test_inlined_and_twice_in_a_function(self):
        found = [instruction("outer", 4, "range", ("start", "include/a.h", 1),
                             ("one", "mm/a.c", 6), ("outer", "mm/a.c", 90)),
                 instruction("two", 8, "clear_young", ("two", "mm/a.c", 14)),
                 instruction("two", 12, "clear_young", ("two", "mm/a.c", 16))]
        made = sites.named(self.CALLS, sites.assign(self.CALLS, found), self.OPTIONS)
        self.assertEqual([(site.id, site.returns) for site in made],
                         [("mm/a.c:one", (("outer", 4),)), ("mm/a.c:two#1", (("two", 8),)),
                          ("mm/a.c:two#2", (("two", 12),))])

    def test_two_that_became_one(self):
        found = [instruction("one", 4, "range", ("one", "mm/a.c", 6)),
                 instruction("two", 12, "clear_young", ("two", "mm/a.c", 16))]
        made = sites.named(self.CALLS, sites.assign(self.CALLS, found), self.OPTIONS)
        self.assertEqual([(site.id, site.lines) for site in made],
                         [("mm/a.c:one", (6,)), ("mm/a.c:two", (14, 16))])

    def test_left_out_by_the_configuration(self):
        made = sites.named(self.CALLS, sites.assign(self.CALLS, []), {"mm/a.c": "CONFIG_A"})
        self.assertEqual({(site.absent, site.returns) for site in made}, {("CONFIG_A is off", ())})

    def test_an_instruction_that_the_source_does_not_have(self):
        with self.assertRaises(sites.SitesError):
            sites.assign(self.CALLS, [instruction("x", 1, "range", ("x", "mm/a.c", 7))])


class Programs(unittest.TestCase):
    def test_what_a_test_reaches(self):
        text = """
/* Reaches mm/a.c:one, mm/a.c:two#1 */
TEST(alone)
{
}

/*
 * Something else first. Reaches
 * mm/b.c:three:clear_young
 */
TEST_F(fixture, with)
{
}

TEST(nothing)
"""
        self.assertEqual([(test.id, test.reaches) for test in test_programs.of_program("p", text)],
                         [("p.alone", ("mm/a.c:one", "mm/a.c:two#1")),
                          ("p.with", ("mm/b.c:three:clear_young",)), ("p.nothing", ())])


class Tracing(unittest.TestCase):
    SITES = [sites.Site("mm/a.c:one", "range", (6,), (("outer", 0x19e),)),
             sites.Site("mm/a.c:two", "clear_young", (14,), (("two", 0xc),))]
    TEXT = "".join(tracing._HEADING + """\
# trigger info: hist:keys=x:vals=hitcount:sort=hitcount:size=2048 [active]
""" + entry + """
Totals:
    Hits: 9
    Entries: 1
    Dropped: 0
""" for entry in ("{ caller: [ffffffff8f8d2cae] outer+0x19e/0x1b0        , event:          1 } "
                  "hitcount:          9\n", "", "", "", ""))

    def parse(self, text):
        traced = tracing.Tracing.__new__(tracing.Tracing)
        traced._places = {(site.hook, *place): site.id for site in self.SITES
                          for place in site.returns}
        traced._names = ["UNMAP", "CLEAR"]
        return traced.parse(text)

    def test_counts_by_site_and_event(self):
        self.assertEqual(self.parse(self.TEXT),
                         {"mm/a.c:one": tracing.Seen(9, Counter({"CLEAR": 9}))})

    def test_a_caller_that_is_no_site(self):
        with self.assertRaises(tracing.TracingError):
            self.parse(self.TEXT.replace("0x19e/", "0x19f/"))

    def test_calls_that_were_dropped(self):
        with self.assertRaises(tracing.TracingError):
            self.parse(self.TEXT.replace("Dropped: 0", "Dropped: 1"))


class Judging(unittest.TestCase):
    TESTS = [test_programs.Test("p", "alone", ("mm/a.c:one",))]

    def wrong(self, seen, declared=()):
        return outcome.judge(Tracing.SITES, self.TESTS, seen, dict(declared))[1]

    def seen(self, *names):
        return {"p.alone": {name: tracing.Seen(1) for name in names}}

    def test_all_as_said(self):
        self.assertEqual(self.wrong(self.seen("mm/a.c:one"), [("mm/a.c:two", "why")]), {})

    def test_declared_unreachable_and_reached(self):
        self.assertIn("mm/a.c:two", self.wrong(self.seen("mm/a.c:one", "mm/a.c:two"),
                                               [("mm/a.c:two", "why")]))

    def test_reached_by_nobody(self):
        self.assertEqual(self.wrong(self.seen("mm/a.c:one"))["mm/a.c:two"], "reached by no test")

    def test_not_reached_as_said(self):
        self.assertIn("p.alone", self.wrong(self.seen(), [("mm/a.c:two", "why")]))

    def test_no_such_site(self):
        self.assertIn("mm/x.c:x", self.wrong(self.seen("mm/a.c:one"), [("mm/x.c:x", "why")]))


if __name__ == "__main__":
    unittest.main()
