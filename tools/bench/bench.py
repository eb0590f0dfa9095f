#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make bench`: the figures that compare the C core with the Rust core, in turns in one boot.

BENCH="hooks register" of the environment, or the arguments, select what is measured.
"""

import argparse
import os
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools/lib"), str(TOP / "tools/bench")]

import counted  # noqa: E402
import figures  # noqa: E402
import lock  # noqa: E402
import programs  # noqa: E402
import project  # noqa: E402
from guest import Guest  # noqa: E402

_ROUNDS = 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FIGURES",
                        default=os.environ.get("BENCH", "").split())
    parser.add_argument("--module", type=Path, default=project.MODULE)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--out", type=Path, default=project.RESULTS,
                        help="the folder for bench.json and the guests' logs")
    return parser.parse_args()


def main():
    args = arguments()
    args.out = args.out.resolve()
    begin = time.monotonic()

    def say(text):
        print(f"  {time.monotonic() - begin:5.0f} s  {text}", flush=True)

    table = figures.Table()
    built = programs.built()
    names = args.names or list(counted.WORK)
    vm = Guest("bench.counted", **counted.guest(built), log_dir=args.out / "bench/counted")
    with vm:
        say(f"booted in {vm.boot_seconds:.0f} s")
        counted.prepare(vm)
        counted.rounds(vm, names, args.rounds, table, args.module.resolve(), say)
    complaints = vm.complaints()
    found = table.figures()
    figures.write(args.out / "bench.json", {"kernel": project.kernel().release}, found)
    print(figures.HEADING)
    for figure in found:
        print(figures.line(figure))
    for complaint in complaints:
        print(f"the kernel complained: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (programs.BenchFailed, project.SetupMissing) as error:
        sys.exit(str(error))
