# SPDX-License-Identifier: GPL-2.0
"""The examples in the interface crate's documentation: what they show is true.

Those that compile run with C and with Rust in charge, in one guest; those that must not compile are
refused for the reason that they state. See tools/testing/interface/README.md.
"""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in ("interface", "upstream")]

import cores  # noqa: E402
import doctests  # noqa: E402

TITLE = "the interface's documentation: examples that run, and that must not compile"
ORDER = 35

_IN_GUEST = f"/lib/modules/{doctests.NAME}.ko"


def run(check):
    check.log_dir.mkdir(parents=True, exist_ok=True)
    tests = doctests.built()
    (check.log_dir / "examples.log").write_text(tests.log)
    for example in tests.to_fail:
        _must_fail(check, tests, example)
    with check.guest("examples", files={_IN_GUEST: tests.module}) as vm:
        cores.on_each(vm, lambda core: _run(check, vm, core, tests.to_run))


def _must_fail(check, tests, example):
    try:
        codes, wrong = tests.refused(example), None
    except AssertionError as error:
        codes, wrong = "", str(error)
    check.result(f"compile_fail.{example.name}", "-", "fail" if wrong else "pass", 0,
                 f"{example.place}: {wrong or codes}: {doctests.heading(example)}")


def _run(check, vm, core, examples):
    before = len(vm.kernel_log())
    seconds = vm.insmod(_IN_GUEST)
    # It holds a reference on itself for each subscription that is left.
    with check.test("module_unloads", core):
        vm.run(f"rmmod {doctests.NAME}", check=True)
    verdicts = doctests.verdicts(vm.kernel_log()[before:])
    for example in examples:
        verdict, reason = verdicts.get(example.name, ("fail", "did not run"))
        check.result(f"example.{example.name}", core, verdict, seconds / len(examples),
                     f"{example.place} {reason}")
