#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make compare`: random programs on both cores, for as many as you like, or one alone.

SEED= and FIRST= tell where to begin, PROGRAMS= how many. A program that tells something else with
Rust than with C is made as short as it can be, and printed with what it told.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent
TOP = _HERE.parents[2]
sys.path[:0] = [str(TOP / folder) for folder in (
    "tools/lib", "tools/build", "tools/testing/compare", "tools/testing/coverage",
    "tools/testing/upstream", "tools/testing/selftests/mmu_notifier")]

import difference  # noqa: E402
import lock  # noqa: E402
import pair  # noqa: E402
import project  # noqa: E402
import recording  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

_LOGS = project.RESULTS / "compare-by-hand"
_BATCH = 100


def tell(guests, seed, first, count, left_out=()):
    """Returns {core: (records, text)}."""
    return pair.on_both(guests, lambda which, vm: recording.random_programs(vm, seed, first, count,
                                                                       left_out))


def shrink(steps, differs):
    """Returns the steps, of which none can be left out if `differs(those left out)` is to hold."""
    left_out = set()
    size = max(1, len(steps) // 2)
    while True:
        rest = [step for step in steps if step not in left_out]
        for start in range(0, len(rest), size):
            more = left_out | {*rest[start:start + size]}
            if differs(sorted(more)):
                left_out = more
        if size == 1:
            return [step for step in steps if step not in left_out]
        size //= 2


def show(guests, seed, name):
    """Prints the shortest program that differs, and what each core told."""
    program = int(name)
    steps = [int(step.name) for step in tell(guests, seed, program, 1)["c"][0][0].steps
             if step.name.isdigit()]

    def differs(left_out):
        told = tell(guests, seed, program, 1, left_out)
        return difference.of_programs(told["c"][0], told["rust"][0])

    needed = shrink(steps, differs)
    left_out = [step for step in steps if step not in needed]
    print(f"program {name}, {len(needed)} of {len(steps)} steps are enough:\n  "
          f"{recording.command(seed, program, 1, left_out)}")
    told = tell(guests, seed, program, 1, left_out)
    for step in told["c"][0][0].steps:
        print("\n".join(f"  {line}" for line in [f"step {step.name}", *step.lines]))
    for which, (_, text) in told.items():
        path = _LOGS / f"program-{name}-{which}.log"
        path.write_text(text)
        print(f"  with {which}: {path.relative_to(TOP)}")
    for programs in difference.of_programs(told["c"][0], told["rust"][0]).values():
        print("\n".join(f"  {line}" for line in programs))


def main():
    seed, first, count = (int(os.environ.get(name, default), 0) for name, default in
                          (("SEED", "1"), ("FIRST", "0"), ("PROGRAMS", "1000")))
    try:
        arguments = recording.arguments(print)
    except project.SetupMissing as error:
        sys.exit(str(error))
    with lock.run("compare"), contextlib.ExitStack() as stack:
        guests = {which: stack.enter_context(Guest(f"compare.{which}", log_dir=_LOGS / which,
                                                   **arguments)) for which in ("c", "rust")}
        pair.take_sides(guests)
        different = 0
        for begin in range(first, first + count, _BATCH):
            number = min(_BATCH, first + count - begin)
            start = time.monotonic()
            told = tell(guests, seed, begin, number)
            wrong = difference.of_programs(told["c"][0], told["rust"][0])
            print(f"seed {seed}, programs {begin} to {begin + number - 1}: {len(wrong)} differ "
                  f"({time.monotonic() - start:.0f} s)", flush=True)
            for name, lines in wrong.items():
                print(f"  program {name}: {difference.brief(lines)}", flush=True)
                show(guests, seed, name)
            different += len(wrong)
        pair.check_sides(guests)
        return 1 if different else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GuestError as error:
        sys.exit(str(error))
