# SPDX-License-Identifier: GPL-2.0
"""Both cores at once: a transition is held open, processes live and die, and share what they have.

The program mixed.c stops a thread in the core that serves. Then the other core is told to take
over: it serves all tasks but this one, and the hazard programs run on it meanwhile.
"""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "upstream")]

import core  # noqa: E402
import notifier_tests  # noqa: E402
import tap  # noqa: E402

TITLE = "both cores at once, in a transition that is held open"
ORDER = 25

# Those that need nothing but a process or two, and no grace period that the stopped thread delays.
_PROGRAMS = ("registration", "counted", "intervals", "two_passes", "nonblocking", "release",
             "list_changes", "exclusion")
_PATCH = f"/sys/kernel/livepatch/{core.NAME}"
_FIFO = "/tmp/mixed"
_TIMEOUT = 240


def run(check):
    tests = notifier_tests.built()
    with check.guest("held_open", **notifier_tests.guest_of(tests)) as vm:
        core.take_over(vm)
        core.hand_back(vm)
        _held_open(check, vm, "taking_over", "rust", lambda: vm.insmod(core.IN_GUEST))
        _held_open(check, vm, "handing_back", "c", lambda: vm.write(f"{_PATCH}/enabled", "0"))
        core.unload(vm)
        check.count_takeovers(2)
        vm.run("rmmod mmu_notifier_test", check=True)


def _held_open(check, vm, when, newcomer, change):
    """Stops a thread, changes the core, runs the programs on the new one, lets the thread go."""
    vm.run(f"rm -f {_FIFO}; mkfifo {_FIFO}", check=True)
    job = vm.start(f"exec mixed <> {_FIFO}")
    job.wait_output("stopped in ")
    change()
    core.wait_until(vm, lambda: _stragglers(vm) == 1)
    vm.write(_FIFO, "go\n")
    job.wait_output("done in both")
    for program in _PROGRAMS:
        notifier_tests.run(check, vm, program, newcomer, prefix=f"{when}.")
    assert core.serving(vm) == "both" and _stragglers(vm) == 1, "the transition was not held open"
    vm.write(_FIFO, "end\n")
    end = job.wait(_TIMEOUT)
    for name, verdict in tap.results(end.output).items():
        check.result(f"{when}.{name}", "-", verdict, end.seconds,
                     "" if verdict == "pass" else end.output[-300:])
    core.wait_for(vm, newcomer)


def _stragglers(vm):
    """How many tasks are still in the old core."""
    return sum(line.startswith("/proc/") for line in core.stragglers(vm).splitlines())
