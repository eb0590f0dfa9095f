# SPDX-License-Identifier: GPL-2.0
"""What C and Rust tell, event by event, for each call site and for random programs.

SEED= chooses other random programs, PROGRAMS= how many.
"""

import os
import sys
import time
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(path) for path in (
    _TESTING, _TESTING / "compare", _TESTING / "coverage", _TESTING / "upstream",
    _TESTING / "selftests/mmu_notifier", _TESTING.parent / "build")]

import wrong_cores  # noqa: E402
import corpus  # noqa: E402
import difference  # noqa: E402
import pair  # noqa: E402
import recording  # noqa: E402
import test_programs  # noqa: E402

TITLE = "both cores tell the same, event by event"
ORDER = 40
TIMEOUT = 1800

_SEED = "1"
_PROGRAMS = "1000"
_BATCH = 100


def run(check):
    seed = int(os.environ.get("SEED", _SEED), 0)
    count = int(os.environ.get("PROGRAMS", _PROGRAMS))
    arguments = recording.arguments(check.note)
    modules = wrong_cores.start_building()
    with check.guest("c", **arguments) as c, check.guest("rust", **arguments) as rust:
        guests = {"c": c, "rust": rust}
        pair.take_sides(guests)
        check.count_takeovers(1)
        _corpus(check, guests)
        check.note(f"seed {seed}, {count} programs")
        told = [_random(check, guests, seed, first, min(_BATCH, count - first))
                for first in range(0, count, _BATCH)]
        pair.check_sides(guests)
        if told:
            _found_out(check, rust, seed, told[0], modules)


def _corpus(check, guests):
    """Each test alone, so that the two guests stay together."""
    tests = test_programs.tests()
    begin = time.monotonic()
    found = pair.on_both(guests, lambda which, vm: recording.corpus(vm, tests))
    seconds = (time.monotonic() - begin) / len(tests)
    by_itself = corpus.by_itself()
    for test in tests:
        c, rust = found["c"][test.id], found["rust"][test.id]
        for which, one in (("c", c), ("rust", rust)):
            (check.log_dir / f"{test.id}-{which}.log").write_text(one.output)
        wrong = corpus.judge(test.id, c, rust, by_itself)
        check.result(f"corpus.{test.id}", "-", "fail" if wrong else "pass", seconds,
                     difference.brief(wrong) if wrong else
                     f"{len(c.record.events)} events" +
                     (", compared by their kinds" if test.id in by_itself else ""))
    if unknown := by_itself - {test.id for test in tests}:
        check.result("corpus.toml", "-", "fail", 0, f"no such tests: {' '.join(unknown)}")


def _random(check, guests, seed, first, count):
    """Returns what C told."""
    begin = time.monotonic()
    told = pair.on_both(guests, lambda which, vm: recording.random_programs(vm, seed, first, count))
    seconds = time.monotonic() - begin
    for which, (_, text) in told.items():
        (check.log_dir / f"random-{first}-{which}.log").write_text(text)
    c, rust = told["c"][0], told["rust"][0]
    different = difference.of_programs(c, rust)
    for name, wrong in different.items():
        check.result(f"random.{name}", "-", "fail", 0,
                     f"seed {seed}; {difference.brief(wrong)}; alone: "
                     f"make compare SEED={seed} FIRST={name} PROGRAMS=1")
    note = (f"{len(different)} of {count} differ" if different else
            f"{sum(len(program.events) for program in c)} events")
    check.result(f"random.{first}-{first + count - 1}", "-", "fail" if different else "pass",
                 seconds, note)
    return c


def _found_out(check, vm, seed, c, modules):
    """Wrong cores, which must tell something else than C."""
    for name, wrong in modules():
        begin = time.monotonic()
        different = wrong_cores.examine(vm, wrong, seed, c)
        check.count_takeovers(1)
        check.result(f"wrong.{name}", "rust", "pass" if different else "fail",
                     time.monotonic() - begin,
                     f"{len(different)} of {wrong_cores.PROGRAMS} programs differ")
