# SPDX-License-Identifier: GPL-2.0
"""The sample drivers: their programs on C and then on Rust, in one guest, and what is left then."""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in (
    "selftests/mmu_notifier", "takeover", "upstream", "../build")]

import core  # noqa: E402
import cores  # noqa: E402
import leaks  # noqa: E402
import notifier_tests  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402
from guest_job import GuestTimeout  # noqa: E402

TITLE = "the sample drivers, with C and with Rust"
ORDER = 36
# Two hundred tests and more, twice: only to end what hangs.
TIMEOUT = 1800

# Two nodes to move pages between, by the programs only; see hmm.py for DAMON.
_CMDLINE = f"numa=fake=2 numa_balancing=disable damon_stat.enabled=N {leaks.CMDLINE}"


def run(check):
    modules = samples.built()
    tests = notifier_tests.built()
    programs = {}
    for folder in notifier_tests.folders():
        with check.test(f"{folder}.builds", "-"):
            programs |= notifier_tests.built_in(folder)
    with check.guest("samples", programs={f"/bin/{name}": path for name, path in programs.items()},
                     modules=["zram", leaks.FLUSHER, tests.driver, *modules.values()],
                     cmdline=_CMDLINE) as vm:
        notifier_tests.prepare(vm)
        before = leaks.address_spaces(vm)
        verdicts = cores.on_each(vm, lambda which: _series(check, vm, which, programs))
        if core.switchable(vm):
            check.count_takeovers(1)
        cores.compare(check, "same", verdicts)
        for name in modules:
            with check.test(f"{name}.unloads", "-"):
                vm.run(f"rmmod {name}", check=True)
        with check.test("no_address_space_left", "-"):
            after = leaks.address_spaces(vm)
            assert after <= before + leaks.BORROWED, f"{before} before, {after} after"


def _series(check, vm, which, programs):
    """Runs the programs; returns the verdict on each of their tests, and on each that broke off."""
    verdicts = {}
    for program in programs:
        try:
            found = notifier_tests.run(check, vm, program, which)
        except (tap.Malformed, GuestTimeout) as error:
            check.result(f"{program}.to_its_end", which, "fail", 0, str(error))
            found = {"to_its_end": "fail"}
        verdicts |= {f"{program}.{name}": verdict for name, verdict in found.items()}
    return verdicts
