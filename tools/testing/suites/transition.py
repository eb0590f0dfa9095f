# SPDX-License-Identifier: GPL-2.0
"""Transitions that cannot complete because a task is inside of a callback.

Until it comes out, both cores serve and the module must be compatible; the transition can be
reversed either way; and the module cannot be unloaded beneath the task.
"""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder)
                for folder in ("livepatch", "selftests/mmu_notifier", "upstream")]

import core  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import stuck  # noqa: E402

TITLE = "a transition held open by a stuck callback, and its way back"
ORDER = 30

_PATCH = f"/sys/kernel/livepatch/{core.NAME}"
_DRIVER = "/mmu_notifier_test.ko"


def run(check):
    files = {core.IN_GUEST: project.MODULE, _DRIVER: notifier_tests.built().driver}
    with check.guest("stuck", files=files, programs=stuck.programs(), parallel=False) as vm:
        vm.insmod(_DRIVER)
        process = stuck.Process(vm)
        with check.test("load_while_stuck_in_c", "c"):
            process.do("stick")
            vm.insmod(core.IN_GUEST)
            _held_open(vm, "__mmu_notifier_invalidate_range_start")
        with check.test("load_reversed", "c"):
            vm.write(f"{_PATCH}/enabled", "0")
            core.wait_for(vm, "c")
            core.unload(vm)
            process.do("open")
        with check.test("load_completed", "rust"):
            process.do("stick")
            vm.insmod(core.IN_GUEST)
            _held_open(vm, "__mmu_notifier_invalidate_range_start")
            process.do("open")
            core.wait_for(vm, "rust")
            _mode_is(vm, "native")
            check.count_takeovers(1)
        with check.test("disable_while_stuck_in_rust", "rust"):
            process.do("stick")
            vm.write(f"{_PATCH}/enabled", "0")
            _held_open(vm, "rust___mmu_notifier_invalidate_range_start")
            assert vm.run(f"rmmod {core.NAME}").status != 0, "unloaded beneath a task"
        with check.test("disable_reversed", "rust"):
            vm.write(f"{_PATCH}/enabled", "1")
            core.wait_for(vm, "rust")
            _mode_is(vm, "native")
        with check.test("disable_completed", "c"):
            vm.write(f"{_PATCH}/enabled", "0")
            _held_open(vm, "rust___mmu_notifier_invalidate_range_start")
            process.do("open")
            core.wait_for(vm, "c")
            core.unload(vm)
        with check.test("process_ends_well", "c"):
            process.end()
            vm.run("rmmod mmu_notifier_test", check=True)


def _held_open(vm, function):
    """The stuck process is the one task that is not moved, and the mode is compatible."""
    core.wait_until(vm, lambda: _names(core.stragglers(vm)) == {"stuck"})
    assert core.serving(vm) == "both"
    _mode_is(vm, "compatible")
    assert f"] {function}+" in core.stragglers(vm), "it is not where it is thought to be"


def _names(stragglers):
    return {line.split()[1] for line in stragglers.splitlines() if line.startswith("/proc/")}


def _mode_is(vm, mode):
    assert vm.read(f"/sys/module/{core.NAME}/parameters/mode") == f"{mode}\n"
