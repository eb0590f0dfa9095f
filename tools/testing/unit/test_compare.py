# SPDX-License-Identifier: GPL-2.0
"""The comparison event by event: reading records, and seeing every difference there can be."""

import sys
import unittest
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in
                (".", "compare", "coverage", "upstream", "selftests/mmu_notifier")]
sys.path.insert(0, str(_TESTING.parent / "build"))

import wrong_cores  # noqa: E402
import compare  # noqa: E402
import corpus  # noqa: E402
import difference  # noqa: E402
import records  # noqa: E402
import test_programs  # noqa: E402

# slot hook phase event blockable owned ret object tid seq start end
RECORD = """\
program 7
step 0
register 1 31 0 = 0
! 1 12 0 0 0 0 0 0 240 0 0 0
step 1
madvise small[0+2] dontneed = 0
! 1 4 0 1 1 0 0 1 240 0 100000200000 100000202000
! 0 4 0 1 1 0 0 1 240 0 100000200000 100000202000
! 9 9 0 1 1 0 1 0 240 3 100000200000 100000202000
! 6 6 0 0 0 0 0 1 240 0 100000200000 100000201000
! 7 6 0 0 0 0 0 1 240 0 100000200000 100000201000
! 6 6 0 0 0 0 0 1 240 0 100000201000 100000202000
! 7 6 0 0 0 0 0 1 240 0 100000201000 100000202000
! 1 5 0 1 1 0 0 1 240 0 100000200000 100000202000
! 9 12 0 5 0 0 0 0 241 0 0 0
! 6 8 0 0 0 0 0 1 17 0 0 ffffffffffffffff
session 1
! 1 4 0 1 0 0 -11 1 240 0 100000200000 100000202000
session 0
step end
ended 0
! 1 0 0 0 1 0 0 1 240 0 0 ffffffffffffffff
done
"""


def of(text):
    return difference.of_programs(records.programs(RECORD), records.programs(text))


class Reading(unittest.TestCase):
    """records.py"""

    def test_all_of_a_record(self):
        program, = records.programs(RECORD)
        self.assertEqual(["0", "1", "end"], [step.name for step in program.steps])
        self.assertEqual(["madvise small[0+2] dontneed = 0"], program.steps[1].lines)
        self.assertEqual(13, len(program.events))
        event = program.steps[1].events[0]
        self.assertEqual(("range_start", 0x100000200000), (event.hook, event.start))
        self.assertEqual("1.range_start [+0x200, +0x202) clear = 0 object 1 thread 0", str(event))

    def test_in_words(self):
        *_, last = records.programs(RECORD)[0].events
        self.assertEqual("1.release = 0 object 1 thread -1", str(last))
        told = records.programs(RECORD.replace("! 1 0 0 0 1 0", "! 1 9 0 5 0 1"))[0].events[-1]
        self.assertEqual("1.invalidate [everything) release non-blockable owned = 0 object 1 "
                         "thread -1", str(told))

    def test_what_is_not_complete(self):
        for text in (RECORD.replace("done\n", ""), RECORD.replace("session 1", "lost 3"),
                     "Segmentation fault\n"):
            with self.assertRaises(records.RecordError):
                records.programs(text)
        with self.assertRaises(records.RecordError):
            records.recorded("zap.free", "ok 1\n")
        with self.assertRaises(records.RecordError):
            records.recorded("zap.free", "ok 1\nrecord\nlost 1\n")

    def test_a_test_of_the_corpus(self):
        program = records.recorded("zap.free", "ok 1\nrecord\n! 1 0 0 0 1 0 0 1 9 0 0 ff\n")
        self.assertEqual(["release"], [event.hook for event in program.events])
        self.assertEqual([-1], [event.thread for event in program.events])
        everything = "! 1 4 0 {} 1 0 0 1 9 0 0 ffffffffffffffff\n"
        for event, thread in (("0", -1), ("4", 0), ("5", -1)):
            program = records.recorded("x", "ok 1\nrecord\n" + everything.format(event))
            self.assertEqual([thread], [event.thread for event in program.events])
        record = "program 0\nsession 0\nstep 0\n! 1 0 0 0 1 0 0 1 9 0 0 ff\ndone\n"
        self.assertEqual([0], [event.thread for event in records.programs(record)[0].events])


class Comparing(unittest.TestCase):
    """difference.py"""

    def assert_differs(self, old, new, count=1):
        self.assertEqual(count, RECORD.count(old), old)
        self.assertTrue(of(RECORD.replace(old, new)), f"{old!r} for {new!r} is not seen")

    def test_alike(self):
        self.assertEqual({}, of(RECORD))

    def test_other_ids_of_threads_are_alike(self):
        self.assertEqual({}, of(RECORD.replace(" 240 ", " 1240 ").replace(" 241 ", " 1241 ")))

    def test_who_frees_and_who_is_last_to_exit_is_no_matter(self):
        self.assertEqual({}, of(RECORD.replace(" 17 0 0 ff", " 900 0 0 ff")))
        self.assertEqual({}, of(RECORD.replace("! 1 0 0 0 1 0 0 1 240", "! 1 0 0 0 1 0 0 1 999")))

    def test_a_missing_event(self):
        for line in RECORD.splitlines(keepends=True):
            if line.startswith("! "):
                self.assert_differs(line, "")

    def test_each_member_of_an_event(self):
        line = "! 9 9 0 1 1 0 1 0 240 3 100000200000 100000202000"
        words = line.split()
        for place in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12):
            changed = [*words]
            changed[place] = {1: "8", 2: "10", 9: "241", 11: "100000201000",
                              12: "100000203000"}.get(place, str(int(words[place]) + 2))
            self.assert_differs(line, " ".join(changed))

    def test_what_the_program_saw(self):
        self.assert_differs("dontneed = 0", "dontneed = -11")
        self.assert_differs("ended 0", "ended 9")

    def test_the_order_of_callbacks(self):
        first, second = ("! 1 4 0 1 1 0 0 1 240 0 100000200000 100000202000\n",
                         "! 0 4 0 1 1 0 0 1 240 0 100000200000 100000202000\n")
        self.assert_differs(first + second, second + first)

    def test_frees_and_returns_may_come_any_time(self):
        ret = "! 9 12 0 5 0 0 0 0 241 0 0 0\n"
        free = "! 6 8 0 0 0 0 0 1 17 0 0 ffffffffffffffff\n"
        end = "! 1 5 0 1 1 0 0 1 240 0 100000200000 100000202000\n"
        self.assertEqual({}, of(RECORD.replace(end + ret + free, free + ret + end)))

    def test_a_return_may_come_before_what_another_thread_is_told(self):
        told, returned = "! 1 1 0 0 1 0 0 1 240 0 0 ff\n", "! 1 12 0 6 0 0 0 0 241 0 0 0\n"
        head = "program 0\nsession 0\nstep 0\n"
        for thread, same in (("241", True), ("240", False)):
            one = returned.replace("241", thread)
            c, rust = (records.programs(head + text + "done\n")
                       for text in (told + one, one + told))
            self.assertEqual(same, not difference.of_programs(c, rust), thread)

    def test_flushes_that_adjoin_are_one(self):
        lines = "".join(f"! {slot} 6 0 0 0 0 0 1 240 0 {start} {start[:-4]}{end}\n"
                        for start, end in (("100000200000", "1000"), ("100000201000", "2000"))
                        for slot in (6, 7))
        whole = "".join(f"! {slot} 6 0 0 0 0 0 1 240 0 100000200000 100000202000\n"
                        for slot in (6, 7))
        self.assertIn(lines, RECORD)
        self.assertEqual({}, of(RECORD.replace(lines, whole)))
        short = "".join(f"! {slot} 6 0 0 0 0 0 1 240 0 100000200000 100000201000\n"
                        for slot in (6, 7))
        self.assertTrue(of(RECORD.replace(lines, short)))
        self.assertTrue(of(RECORD.replace(lines, lines + lines)))

    def test_flushes_with_a_hole_between_are_one(self):
        start, first, returned, rest, whole = (
            "! 1 4 0 1 1 0 0 1 240 0 100000200000 100000209000\n",
            "! 6 6 0 0 0 0 0 1 240 0 100000200000 100000201000\n",
            "! 9 12 0 5 0 0 0 0 241 0 0 0\n",
            "! 6 6 0 0 0 0 0 1 240 0 100000204000 100000205000\n",
            "! 6 6 0 0 0 0 0 1 240 0 100000200000 100000205000\n")
        head = "program 0\nsession 0\nstep 0\n"
        own = returned.replace("! 9", "! 6").replace(" 241 ", " 240 ")
        for two, one, same in ((first + returned + rest, whole + returned, True),
                               (first + start + rest, whole + start, False),
                               (first + own + rest, first + rest + own, False),
                               (start + first + rest.replace(" 240 ", " 241 "),
                                start + first + rest, False)):
            c, rust = (records.programs(head + text + "done\n") for text in (two, one))
            self.assertEqual(same, not difference.of_programs(c, rust), two)

    def test_another_program(self):
        self.assertTrue(of(RECORD.replace("program 7", "program 8")))
        self.assertTrue(of(RECORD.replace("done", "program 8\ndone")))
        self.assertTrue(of("done\n"))

    def test_kinds(self):
        one, = records.programs(RECORD)
        moved, = records.programs(RECORD.replace("100000202000", "100000209000"))
        self.assertEqual([], difference.of_kinds(one, moved))
        refused, = records.programs(RECORD.replace("! 0 4 0 1 1 0 0", "! 0 4 0 1 0 0 -11"))
        self.assertEqual([], difference.of_kinds(one, refused))
        other, = records.programs(RECORD.replace("! 0 4 0 1 1", "! 0 4 0 2 1"))
        self.assertEqual(1, len(difference.of_kinds(one, other)))


class Corpus(unittest.TestCase):
    """corpus.py, wrong_cores.py, compare.py"""

    def test_the_lists_name_what_there_is(self):
        self.assertLessEqual(corpus.by_itself(), {test.id for test in test_programs.tests()})
        self.assertEqual(4, len(wrong_cores.wrong_cores()))

    def test_shrinking(self):
        asked = []

        def differs(left_out):
            asked.append(left_out)
            return not {3, 11} & {*left_out}

        self.assertEqual([3, 11], compare.shrink(list(range(20)), differs))
        self.assertLess(len(asked), 60)


if __name__ == "__main__":
    unittest.main()
