#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make bench`: the figures that compare the C core with the Rust core, in turns in one boot.

BENCH="hooks register" of the environment, or the arguments, select what is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools/lib"), str(TOP / "tools/bench")]

import counted  # noqa: E402
import figures  # noqa: E402
import lock  # noqa: E402
import bench_programs  # noqa: E402
import project  # noqa: E402
import report  # noqa: E402
import timed  # noqa: E402
import turns  # noqa: E402
from guest import Guest  # noqa: E402

_ROUNDS = 5
_GUESTS = (counted, timed)
_NAMES = tuple(name for kind in _GUESTS for name in kind.WORKS)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FIGURES",
                        default=os.environ.get("BENCH", "").split() or list(_NAMES),
                        help=f"of {' '.join(_NAMES)}")
    parser.add_argument("--module", type=Path, default=project.MODULE)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--out", type=Path, default=project.RESULTS,
                        help="the folder for bench.json and the guests' logs")
    args = parser.parse_args()
    unknown = sorted({*args.names} - {*_NAMES})
    if unknown:
        parser.error(f"not known: {' '.join(unknown)}; there are {' '.join(_NAMES)}")
    return args


def measured(args, table, say):
    """Measures all that is asked for; returns what the guests' kernels complained of."""
    built = bench_programs.built()
    complaints = []
    for kind in _GUESTS:
        works = {name: work for name, work in kind.WORKS.items() if name in args.names}
        if not works:
            continue
        name = kind.__name__
        vm = Guest(f"bench.{name}", **kind.guest(built), log_dir=args.out / "bench" / name)
        with vm:
            say(f"{name}: booted in {vm.boot_seconds:.0f} s")
            kind.prepare(vm)
            turns.take(vm, works, args.rounds, table, args.module.resolve(),
                       lambda text: say(f"{name}: {text}"))
        complaints += vm.complaints()
    return complaints


def about(args):
    """What was measured."""
    revision = subprocess.run(["git", "-C", TOP, "describe", "--always"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    return {"kernel": project.kernel().release, "core": revision or "unknown",
            "rounds": args.rounds}


def native():
    """The figures at native speed, of a tool of their own that writes native.json."""
    tool = TOP / "tools/bench/native.py"
    if not tool.exists():
        return []
    subprocess.run([sys.executable, tool], check=True)
    return json.loads((project.RESULTS / "native.json").read_text())["figures"]


def main():
    args = arguments()
    args.out = args.out.resolve()
    begin = time.monotonic()
    table = figures.Table()
    with lock.run("the bench"):
        complaints = measured(args, table, lambda text: print(
            f"  {time.monotonic() - begin:4.0f} s  {text}", flush=True))
    found = table.figures()
    whole = {*args.names} == {*_NAMES}
    if whole:
        found += native()
    path = args.out / ("bench.json" if whole else "bench.selected.json")
    figures.write(path, about(args), found)
    print(figures.HEADING)
    for figure in found:
        print(figures.line(figure))
    for complaint in complaints:
        print(f"the kernel complained: {complaint}")
    print(f"bench: {len(found)} figures in {path}")
    if whole and not complaints and args.out == project.RESULTS:
        report.write()
        print(f"bench: drawn into {report.OUT}")
    return 1 if complaints else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (bench_programs.BenchFailed, project.SetupMissing) as error:
        sys.exit(str(error))
