# SPDX-License-Identifier: GPL-2.0
"""The hazards of the notifier interface, one program after the other, on C and then on Rust."""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "upstream")]

import cores  # noqa: E402
import notifier_tests  # noqa: E402

TITLE = "the hazards of the notifier interface, with C and with Rust"
ORDER = 20

# Provokes warnings on purpose: in a guest of its own, whose log must hold them.
_WARNINGS = "warnings"


def run(check):
    tests = notifier_tests.built()
    quiet = [name for name in notifier_tests.PROGRAMS if name != _WARNINGS]
    with check.guest("quiet", programs=tests.programs, modules=[tests.driver]) as vm:
        _compare(check, cores.on_each(vm, lambda core: _series(check, vm, core, quiet)))
        vm.run("rmmod mmu_notifier_test", check=True)


def _series(check, vm, core, programs):
    """Runs the programs and returns the verdict on each of their tests."""
    return {f"{program}.{name}": verdict for program in programs
            for name, verdict in notifier_tests.run(check, vm, program, core).items()}


def _compare(check, verdicts):
    names = verdicts["c"] | verdicts["rust"]
    different = [name for name in names
                 if verdicts["c"].get(name) != verdicts["rust"].get(name)]
    check.result("same", "-", "fail" if different else "pass", 0,
                 f"{len(names)} tests compared; different: {' '.join(different) or 'none'}")
