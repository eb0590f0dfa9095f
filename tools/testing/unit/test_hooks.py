# SPDX-License-Identifier: GPL-2.0
"""The counting of hooks: what the kernel's tracing prints, and what may be said from it."""

import unittest

import hooks

PROFILE = """\
  vm_clear_young                                     12               0
  c_clear_young                                      10               0
"""

HISTOGRAM = """\
# trigger info: hist:keys=caller.sym:vals=hitcount:sort=hitcount:size=2048 [active]
#

{ caller: [ffffffffb095b8c0] __mmu_notifier_clear_young                       } hitcount:         10
{ caller: [ffffffffc0a01234] _RNvNtC_5hlist11clear_young [mmu_notifier_rust]  } hitcount:          7

Totals:
    Hits: 17
    Entries: 2
    Dropped: 0
"""


class Served(unittest.TestCase):
    def reading(self, calls, by_c):
        return hooks.Reading(calls, by_c, 0, 0)

    def test_c_alone(self):
        start = self.reading((100, 101), (99, 100))
        count = self.reading((150, 152), (149, 151)).since(start)
        self.assertEqual((count.by_c, count.by_rust), (49, 0))

    def test_rust_alone(self):
        start = self.reading((100, 100), (100, 100))
        count = self.reading((150, 152), (100, 100)).since(start)
        self.assertEqual((count.by_c, count.by_rust, count.calls), (0, 50, 50))

    def test_calls_between_the_two_looks_are_nobodys(self):
        start = self.reading((100, 105), (60, 65))
        self.assertEqual(start.since(start), hooks.Count())


class Parsing(unittest.TestCase):
    def test_profiles(self):
        self.assertEqual(hooks.parse_profiles(PROFILE + PROFILE.replace("12", "14"))
                         ["vm_clear_young"], (12, 14))

    def test_a_missed_call_is_an_error(self):
        with self.assertRaises(hooks.HooksError):
            hooks.parse_profiles("  vm_release    4   1\n")

    def test_callers(self):
        self.assertEqual(hooks.Callers().count(HISTOGRAM), [10, 7])

    def test_callers_are_remembered_when_the_module_is_gone(self):
        callers = hooks.Callers()
        callers.count(HISTOGRAM)
        without = HISTOGRAM.replace("_RNvNtC_5hlist11clear_young [mmu_notifier_rust]",
                                    "0xffffffffc0a01234")
        self.assertEqual(callers.count(without), [10, 7])

    def test_an_unknown_caller_is_an_error(self):
        with self.assertRaises(hooks.HooksError):
            hooks.Callers().count(HISTOGRAM.replace("[mmu_notifier_rust]", "[other]"))

    def test_dropped_calls_are_an_error(self):
        with self.assertRaises(hooks.HooksError):
            hooks.parse_events(HISTOGRAM.replace("Dropped: 0", "Dropped: 3"))

    def test_events(self):
        self.assertEqual(hooks.parse_events("{ event:          4 } hitcount:          2\n"
                                            "{ event:          1 } hitcount:        833\n"),
                         {4: 2, 1: 833})

    def test_event_names(self):
        header = "enum mmu_notifier_event {\n\tMMU_NOTIFY_UNMAP = 0,\n\tMMU_NOTIFY_CLEAR,\n};\n"
        self.assertEqual(hooks.event_names(header), ["UNMAP", "CLEAR"])
        with self.assertRaises(hooks.HooksError):
            hooks.event_names(header.replace("MMU_NOTIFY_CLEAR", "OTHER_CLEAR"))


if __name__ == "__main__":
    unittest.main()
