#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares the two cores at native speed, in an ordinary process; see native/README.md."""

import argparse
import fnmatch
import json
import statistics
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools" / folder) for folder in ("lib", "build", "bench/native")]

import building  # noqa: E402
import kbuild  # noqa: E402
import live_text  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
import stock_text  # noqa: E402
from commands import Failed, output  # noqa: E402
from scenes import CORES, SCENES  # noqa: E402
from single_steps import Tracer  # noqa: E402

# Single steps are slow.
_STEPPABLE = 100


def figure(scene, runs):
    """What to report of a scene's runs, each a list of rounds (C, Rust, floor) in ns."""
    rounds = [times for run in runs for times in run]
    by_run = [statistics.median(rust / c for c, rust, _ in run) for run in runs]
    low, middle, high = statistics.quantiles([rust / c for c, rust, _ in rounds], n=4)
    least = {core: min(times) for core, times in zip(CORES, zip(*rounds))}
    result = {"name": scene.call, "params": scene.params, "unit": "ns", "method": "native"}
    for core, times in zip(CORES, zip(*rounds)):
        result[core] = round(statistics.median(times), 2)
    return result | {"ratio": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)],
                     "spread": round((max(by_run) - min(by_run)) / middle, 4),
                     "by_run": [round(ratio, 3) for ratio in by_run],
                     "least": {core: round(time, 2) for core, time in least.items()},
                     "ratio_of_least": round(least["rust"] / least["c"], 3),
                     "runs": len(runs), "rounds": len(rounds)}


def measure(natives, scenes, seconds, runs):
    """The figures of the scenes. Each run of a scene is a process, of one layout after another."""
    rounds = {scene: [] for scene in scenes}
    for run in range(runs):
        for scene in scenes:
            lines = output(scene.command(natives[run % len(natives)], "measure", seconds))
            rounds[scene].append([tuple(map(float, line.split()))
                                  for line in lines.decode().splitlines()])
    return [figure(scene, of_scene) for scene, of_scene in rounds.items()]


def table(figures):
    """Lines for a person: medians in ns, the ratio Rust / C and its quartiles, instructions."""
    form = "{:18} {:32} {:>9} {:>9} {:>9} {:>6} {:>7} {:>13} {:>6} {:>6} {:>6}"
    yield form.format("call", "", *(f"{core} ns" for core in CORES), "ratio", "(least)",
                      "quartiles", *(f"i({core})" for core in CORES))
    for row in figures:
        params = " ".join(f"{name}={value}" for name, value in row["params"].items())
        low, high = row["quartiles"]
        counts = row.get("instructions", {})
        yield form.format(row["name"], params, *(row[core] for core in CORES), row["ratio"],
                          f"({row['ratio_of_least']})", f"{low:.3f}..{high:.3f}",
                          *(counts.get(core, "-") for core in CORES))


def verify(kernel, tracer, scenes):
    """Compares the kernel's part of what runs with the stock kernel's image, byte for byte."""
    patterns = {}
    for path in building.objects(kernel):
        if path.name != "scene.o":
            patterns |= stock_text.patterns(path)
    ran = {core: {name for scene in scenes if scene.overlapping <= _STEPPABLE
                  for _, name in tracer.steps(scene, core) if not name.startswith("empty_")}
           for core in ("c", "rust")}
    # The core in Rust is not in that image, what it calls is.
    wanted = ran["c"] | (ran["rust"] & set(patterns))
    image = stock_text.image(project.Kernel(kernel.release).vmlinuz)
    differing = stock_text.differing(patterns, wanted, image)
    if differing:
        raise Failed(f"not as in the stock kernel: {' '.join(differing)}")
    return sorted(wanted)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", help="the scenes like this: start_end-1, '*-64'")
    parser.add_argument("--seconds", type=float, default=0.4, help="of each scene in a run")
    parser.add_argument("--runs", type=int, default=2 * building.LAYOUTS, help="of each scene")
    parser.add_argument("--trace", action="store_true",
                        help="count the instructions of a call by function, measure nothing")
    parser.add_argument("--listing", action="store_true", help="with --trace: list them as well")
    parser.add_argument("--verify", action="store_true",
                        help="only compare the code with the image of the stock kernel")
    args = parser.parse_args()
    args.scenes = [scene for scene in SCENES if fnmatch.fnmatch(scene.name, args.only)]
    if not args.scenes:
        parser.error(f"no such scene; there are: {' '.join(scene.name for scene in SCENES)}")
    return args


def run(args):
    kernel = kbuild.target()
    with lock.held("building the native benchmark"):
        natives = building.build(kernel, 1 if args.trace or args.verify else building.LAYOUTS)
    tracer = Tracer(natives[0])
    if args.verify:
        print("  as in the stock kernel:", *verify(kernel, tracer, args.scenes))
        return
    if args.trace:
        for scene in args.scenes if args.only != "*" else args.scenes[:1]:
            for core in CORES:
                print(*tracer.report(scene, core, args.listing), "", sep="\n")
        return

    figures = measure(natives, args.scenes, args.seconds, args.runs)
    for scene, row in zip(args.scenes, figures):
        if scene.overlapping <= _STEPPABLE:
            row["instructions"] = {core: len(tracer.steps(scene, core)) for core in CORES}
    print(*table(figures), sep="\n")
    if args.only == "*":
        project.RESULTS.mkdir(parents=True, exist_ok=True)
        result = project.RESULTS / "native.json"
        result.write_text(json.dumps({"figures": figures}, indent=1) + "\n")
        print(f"  {result}")


def main():
    args = arguments()
    try:
        with lock.run("native.py"):
            run(args)
    except (Failed, kbuild.BuildFailed, live_text.Unpatchable, project.SetupMissing,
            stock_text.NoImage) as error:
        sys.exit(f"{error}\nnative: failed")


if __name__ == "__main__":
    main()
