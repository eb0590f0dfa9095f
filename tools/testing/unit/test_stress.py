# SPDX-License-Identifier: GPL-2.0
"""The conductor of the stress: what it takes for a stall, and what it counts."""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in (
    "stress", "torture", "takeover", "upstream", "../build", "../lib")]

import conductor  # noqa: E402
import jobs  # noqa: E402
import project  # noqa: E402


class Load:
    name, vital = "load", ("lives", "loads")


class FakeLog:
    def __init__(self):
        self.text = ""

    def kernel_log(self):
        return self.text


class FakeJob:
    def __init__(self, output, status=None):
        self._output, self._status = output, status

    def start(self, _command, on_output):
        for piece in (self._output[:7], self._output[7:]):
            on_output(piece.encode())
        return self

    def output(self):
        return self._output

    def poll(self):
        return self._status


class Stalls(unittest.TestCase):
    def setUp(self):
        self.time = 0
        self.stalls = conductor.Stalls([Load()], 10, lambda: self.time)

    def look(self, time, lives, loads):
        self.time = time
        return self.stalls.look({"load.lives": lives, "load.loads": loads, "load.other": 0})

    def test_each_counter_by_itself(self):
        self.assertEqual(self.look(5, 1, 1), [])
        self.assertEqual(self.look(11, 2, 1), [])
        self.assertEqual(self.look(16, 2, 1), ["load.loads stands still at 1 for 11 s"])

    def test_what_never_grew(self):
        self.look(5, 1, 0)
        self.assertEqual(self.stalls.missing(), ["load.loads"])
        self.assertEqual(len(self.look(11, 1, 0)), 1)


class Rates(unittest.TestCase):
    def test_sums_and_zeroes(self):
        told = conductor.rates({"modules.loaded": 5, "hotplug.went": 10, "hotplug.came": 20}, 10)
        self.assertEqual(told, "0.50 loads, 3.0 hotplugs")


@mock.patch.object(project, "kernel", lambda: SimpleNamespace(known=["known"]))
class Log(unittest.TestCase):
    def test_each_complaint_once(self):
        vm = FakeLog()
        log = conductor.Log(vm)
        vm.text = "[    1.000000] quiet\n[    1.000001] stress invoked oom-killer: x\n[    1"
        self.assertEqual(log.look(), [])
        vm.text += ".000002] Call Trace:\n[    1.000003] WARNING: x\n"
        self.assertEqual(log.look(), ["[    1.000003] WARNING: x"])
        vm.text += "[    1.000004] Memory cgroup out of memory: Killed\n[    1.000005] BUG: y\n"
        self.assertEqual(log.look(), ["[    1.000005] BUG: y"])
        self.assertEqual(log.look(), [])
        vm.text += "[    1.000006] BUG: known\n"
        self.assertEqual(log.look(), [])

    def test_a_race_is_judged_when_it_is_told_in_full(self):
        vm = FakeLog()
        log = conductor.Log(vm)
        for frame, found in ((" vfs_write+0x1/0x2", 0), (" mn_itree_release+0x1/0x2", 1)):
            vm.text += ("[    1.000000] BUG: KCSAN: data-race in a / b\n"
                        "[    1.000000] write to 0xf of 8 bytes by task 7 on cpu 1:\n")
            self.assertEqual(log.look(), [])
            vm.text += f"[    1.000000] {frame}\n[    1.000000] {'=' * 66}\n"
            self.assertEqual(len(log.look()), found)


class Jobs(unittest.TestCase):
    def test_last_progress_counts(self):
        job = jobs.Job(FakeJob("progress lives=1 loads=0\nprogress lives=7 loads=2\n"), "x", 1, ())
        self.assertEqual(job.counters(), {"lives": 7, "loads": 2})
        self.assertEqual(job.wrong(), [])

    def test_what_is_wrong(self):
        job = jobs.Job(FakeJob("wrong users seed=1: stale\nsummary lives=1\n", 1), "x", 1, ())
        self.assertEqual(job.wrong(), ["users seed=1: stale"])
        job = jobs.Job(FakeJob("no such file", 127), "x", 1, ())
        self.assertEqual(len(job.wrong()), 1)

    def test_torture_counts_over_programs(self):
        output = ('progress 5 steps, 9 comparisons, 1 s to go\n{"seed": 1, "steps": 40, "x": {"y": '
                  '{}}}\nprogress 3 steps, 4 comparisons, 1 s to go\n')
        job = jobs.Torture(FakeJob(output), 1)
        self.assertEqual(job.counters(), {"steps": 43, "programs": 1})
        self.assertEqual(job.wrong(), [])
        job = jobs.Torture(FakeJob("STALE seed=1 thread=0\n", 1), 1)
        self.assertEqual(job.wrong(), ["STALE seed=1 thread=0"])


if __name__ == "__main__":
    unittest.main()
