# SPDX-License-Identifier: GPL-2.0
"""A stuck callback of one process holds up no other one, and the log says which it is.

With C everybody waits for it, as one SRCU domain serves all. With Rust only those wait who
unregister or put a subscription of the same mm, whichever core they or the callback are in.
"""

import re
import sys
import time
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "upstream")]

import core  # noqa: E402
import cores  # noqa: E402
import notifier_tests  # noqa: E402
import talk  # noqa: E402

TITLE = "a stuck callback holds up no other process, and is told of"
ORDER = 32
TIMEOUT = 1500

_PATCH = f"/sys/kernel/livepatch/{core.NAME}"
_PARAMETERS = f"/sys/module/{core.NAME}/parameters"
_STUCK_AFTER = 2
_SAID = re.compile(
    rf"{core.NAME}: callback (?P<symbol>mnt_\w+)\S* \[mmu_notifier_test\] stuck for "
    r"(?P<seconds>\d+) s in (?P<comm>\S+)/(?P<pid>\d+) of process (?P<process>\d+)$", re.MULTILINE)
_WAITING = re.compile(rf"{core.NAME}: waiting for it: (?P<comm>\S+)/(?P<pid>\d+)$", re.MULTILINE)


def run(check):
    tests = notifier_tests.built()
    with check.guest("stuck", programs=tests.programs, modules=[tests.driver]) as vm:
        cores.on_each(vm, lambda which: _whom_it_holds_up(check, vm, which))
        _adopted(check, vm)
        _stuck_in_the_old_core(check, vm)
        check.count_takeovers(3)
    # Of its own: what was stuck before has no part in what is said here.
    with check.guest("told", programs=tests.programs, modules=[tests.driver]) as vm:
        _told(check, vm)
        check.count_takeovers(1)


def _whom_it_holds_up(check, vm, which):
    for program in ("isolation", "isolation_own"):
        notifier_tests.run(check, vm, program, which, timeout=talk.TIMEOUT)
        talk.notes(check, f"{program}-{which}", which)


def _adopted(check, vm):
    """Both register with C, then one gets stuck in Rust."""
    with talk.Talk(check, vm, "isolation_moves", "adopted", "rust") as program:
        program.wait("prepared")
        core.take_over(vm)
        program.say("go")
    with check.test("stuck_after_default", "rust"):
        assert _parameter(vm, "stuck_after") == 10
    core.hand_back(vm)


def _stuck_in_the_old_core(check, vm):
    """The stuck task alone holds the transition open; all others are in the new core."""
    def change(prefix, newcomer, begin):
        with talk.Talk(check, vm, "isolation_moves", "own_waits_across_cores", newcomer,
                   prefix) as program:
            program.wait("prepared")
            begin()
            core.wait_until(vm, lambda: _stragglers(vm) == 1)
            program.say("go")
            program.wait("waits")
            with check.test(f"{prefix}held_open", newcomer):
                assert core.serving(vm) == "both" and _stragglers(vm) == 1
            program.say("end")
        core.wait_for(vm, newcomer)

    change("loading.", "rust", lambda: vm.insmod(core.IN_GUEST))
    change("disabled.", "c", lambda: vm.write(f"{_PATCH}/enabled", "0"))
    core.unload(vm)


def _told(check, vm):
    core.take_over(vm, f"stuck_after={_STUCK_AFTER}")
    told = 0
    for test, symbol in ("of_lists", "mnt_op_range_start"), ("of_intervals", "mnt_op_invalidate"):
        with talk.Talk(check, vm, "stuck_callbacks", test, "rust", f"{test}.") as program:
            for which in "first", "second":
                with check.test(f"told.{test}.{which}", "rust"):
                    before = len(vm.kernel_log())
                    stuck, waiting = program.stuck()
                    core.wait_until(vm, lambda: _SAID.search(_since(vm, before)), 30)
                    told += 1
                    _expect_told_once(vm, before, symbol, stuck, waiting)
                    assert _parameter(vm, "stuck_callbacks") == told
                program.say("open")
                program.wait("opened")
    with check.test("switched_off", "rust"):
        vm.write(f"{_PARAMETERS}/stuck_after", "0")
        before = len(vm.kernel_log())
        with talk.Talk(check, vm, "stuck_callbacks", "of_lists", "rust", "off.") as program:
            for _ in range(2):
                program.stuck()
                time.sleep(2 * _STUCK_AFTER)
                program.say("open")
                program.wait("opened")
        assert not _SAID.search(_since(vm, before)), "told though switched off"
        assert _parameter(vm, "stuck_callbacks") == told
    core.hand_back(vm)


def _expect_told_once(vm, before, symbol, stuck, waiting):
    # Nothing is to come: there is nothing to wait for but the time for more of it.
    time.sleep(2 * _STUCK_AFTER)
    said = _since(vm, before)
    lines = list(_SAID.finditer(said))
    assert len(lines) == 1, f"said {len(lines)} times:\n{said}"
    line = lines[0]
    assert line["symbol"] == symbol, line[0]
    assert (line["comm"], int(line["pid"])) == ("stuck_callbacks", stuck), f"{line[0]}: not {stuck}"
    assert int(line["seconds"]) >= _STUCK_AFTER, line[0]
    named = [int(match["pid"]) for match in _WAITING.finditer(said)]
    assert sorted(named) == sorted(waiting), f"waiting are {waiting}, named {named}"


def _since(vm, before):
    return vm.kernel_log()[before:]


def _parameter(vm, name):
    return int(vm.read(f"{_PARAMETERS}/{name}"))


def _stragglers(vm):
    """How many tasks are still in the old core."""
    return sum(line.startswith("/proc/") for line in core.stragglers(vm).splitlines())
