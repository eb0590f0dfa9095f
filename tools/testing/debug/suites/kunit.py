# SPDX-License-Identifier: GPL-2.0
"""The kernel's own unit tests, run at boot: what they said is in the log."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import core  # noqa: E402
import ktap  # noqa: E402

TITLE = "KUnit"


def run(check):
    with check.guest("booted", cmdline="kunit.enable=1 kunit.autorun=1") as vm:
        found = ktap.outcomes(vm.kernel_log())
        which = core.serving(vm)
    for outcome in found:
        check.result(f"{outcome.suite}.{outcome.test}", which, outcome.verdict, 0, outcome.note)
    ours = [outcome for outcome in found if outcome.suite.startswith("mmu_notifier")]
    check.result("suites_of_the_core", which, "pass" if ours or which == "c" else "fail", 0,
                 f"{len(ours)} tests of the core, {len(found)} in all")
