# SPDX-License-Identifier: GPL-2.0
"""Each allocation on the way into the core fails in turn; nothing is lost, and all goes on."""

import re
import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TESTING / folder) for folder in (
    "selftests/mmu_notifier", "upstream", "../build")]

import cores  # noqa: E402
import notifier_tests  # noqa: E402
import samples  # noqa: E402

TITLE = "each allocation on the way into the core fails in turn"
TIMEOUT = 1800

_PROGRAM = "failing_allocations"
_FAULTS = "/sys/kernel/debug"
# Every allocation of the task that asks for it, whoever it is for, and each with its stack.
_SET_UP = " && ".join(f"echo {value} > {_FAULTS}/{name}" for name, value in {
    "failslab/ignore-gfp-wait": "N",
    "fail_page_alloc/ignore-gfp-wait": "N",
    "fail_page_alloc/ignore-gfp-highmem": "N",
    "fail_page_alloc/min-order": "0",
    "failslab/verbose_ratelimit_interval_ms": "0",
    "fail_page_alloc/verbose_ratelimit_interval_ms": "0",
}.items())
_FAILURE = re.compile(r"FAULT_INJECTION: forcing a failure")
_OF_THE_CORE = re.compile(r" (__)?mmu_notifier_register\+| mmu_interval_notifier_insert\+"
                          r"|_R\w*12mmu_notifier12registration")


def run(check):
    programs = notifier_tests.built_at(_TESTING / "debug/programs")
    modules = [notifier_tests.built().driver, samples.built()["kvm_shadow"], "test_hmm", "kvm-amd"]
    with check.guest("failing", modules=modules, cmdline="damon_stat.enabled=N",
                     programs={f"/bin/{name}": path for name, path in programs.items()}) as vm:
        vm.run(_SET_UP, check=True)
        cores.on_each(vm, lambda which: _in_turn(check, vm, which))


def _in_turn(check, vm, which):
    notifier_tests.run(check, vm, _PROGRAM, which, timeout=TIMEOUT)
    with check.test("the_core_was_refused", which):
        stacks = _FAILURE.split(vm.kernel_log())[1:]
        of_the_core = sum(bool(_OF_THE_CORE.search(stack)) for stack in stacks)
        check.note(f"{len(stacks)} allocations failed, {of_the_core} below the core")
        assert of_the_core, "no allocation of the core has failed"
