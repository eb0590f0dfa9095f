# SPDX-License-Identifier: GPL-2.0
"""The hazards of the notifier interface, one program after the other, on C and then on Rust."""

import re
import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "upstream")]

import core  # noqa: E402
import cores  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402

TITLE = "the hazards of the notifier interface, with C and with Rust"
ORDER = 20

# Provokes warnings on purpose: in a guest of its own, whose log must hold them.
_WARNINGS = "warnings"
_REGISTERING = ("registration", "counted", "exclusion", "mm_lock", "race")
# Those of the suites mixed, findings and isolation.
_OTHER_SUITES = ("mixed", "findings", "observed", *notifier_tests.ISOLATION)
_WARNED = {"c": r"WARNING: mm/mmu_notifier\.c:\d+ at ",
           "rust": r"WARNING: (?:\w+\.rs:\d+ at .*\[mmu_notifier_rust\]"
                   r"|(?:/\S+/)?mm/mmu_notifier_rust/\w+\.rs:\d+ at )"}


def run(check):
    tests = notifier_tests.built()
    quiet = [name for name in notifier_tests.PROGRAMS if name not in (_WARNINGS, *_OTHER_SUITES)]
    with check.guest("quiet", **notifier_tests.guest_of(tests)) as vm:
        notifier_tests.prepare(vm)
        cores.compare(check, "same",
                      cores.on_each(vm, lambda which: _series(check, vm, which, quiet)))
        if core.switchable(vm):
            _without_memory(check, vm)
            check.count_takeovers(2)
        vm.run("rmmod mmu_notifier_test", check=True)
    only = project.kernel().core
    warned = [pattern for which, pattern in _WARNED.items() if only in (None, which)]
    with check.guest(_WARNINGS, allow=warned, **notifier_tests.guest_of(tests)) as vm:
        cores.compare(check, "same_warnings",
                      cores.on_each(vm, lambda which: _warnings(check, vm, which)))
        if core.switchable(vm):
            check.count_takeovers(1)


def _without_memory(check, vm):
    """Runs what registers on a core that behaves as if it got no memory for its list of locks."""
    core.take_over(vm, "mm_lock_searched=1")
    for program in _REGISTERING:
        notifier_tests.run(check, vm, program, "rust", prefix="searched.")
    core.hand_back(vm)


def _series(check, vm, which, programs):
    """Runs the programs and returns the verdict on each of their tests."""
    return {f"{program}.{name}": verdict for program in programs
            for name, verdict in notifier_tests.run(check, vm, program, which).items()}


def _warnings(check, vm, which):
    """Runs the program that is warned of; returns verdicts, and how often each test was warned."""
    before = len(vm.kernel_log())
    verdicts = notifier_tests.run(check, vm, _WARNINGS, which)
    pids = re.findall(rf"(?:{_WARNED[which]}).*: {_WARNINGS}/(\d+)$", vm.kernel_log()[before:],
                      re.MULTILINE)
    by_test = [pids.count(pid) for pid in dict.fromkeys(pids)]
    check.result("warned", which, "pass" if len(by_test) == len(verdicts) else "fail", 0,
                 f"warnings of each test: {by_test}")
    return verdicts | {f"warning {number}": count for number, count in enumerate(by_test)}
