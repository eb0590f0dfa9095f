#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make torture`: the torture with C and then with Rust in charge, SECONDS for each, from SEED.

What it did and found goes to build/results/torture.json.
"""

import json
import os
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / folder) for folder in (
    "tools/lib", "tools/build", "tools/testing/takeover", "tools/testing/upstream",
    "tools/testing/torture")]

import cores  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
import torture  # noqa: E402
from guest import Guest  # noqa: E402

_RESULT = project.RESULTS / "torture.json"
_SECONDS = "60"
# The torture tells every second how far it is.
_TOLD_OF = 20


class Progress:
    """Prints some of the lines in which a run tells how far it is."""

    def __init__(self, core):
        self._core = core
        self._seen = 0

    def __call__(self, piece):
        for line in re.findall(rb"^progress (.*)$", piece, re.MULTILINE):
            if self._seen % _TOLD_OF == 0:
                print(f"  {self._core:4} {line.decode()}", flush=True)
            self._seen += 1


def tortured(seconds, seed):
    """Returns all that happened, for the result's file."""
    found = {"kernel": project.kernel().release, "seed": seed, "seconds": seconds, "cores": {},
             "problems": []}
    vm = Guest("torture", **torture.guest(print))
    with vm:
        torture.prepare(vm)
        before = torture.holdings(vm)
        cores.on_each(vm, lambda core: _on(vm, core, found))
        found["problems"] += torture.left_behind(before, torture.holdings(vm))
    found["problems"] += vm.complaints()
    return found


def _on(vm, core, found):
    outcome = torture.run(vm, found["seconds"], found["seed"], on_output=Progress(core))
    found["cores"][core] = outcome.summary
    print(f"  {core:4} {outcome.story}", flush=True)
    if not outcome.clean:
        found["problems"].append(f"{core}: {outcome.story}")
    if outcome.unused:
        found["problems"].append(f"{core}: not used: {' '.join(outcome.unused)}")


def main():
    seconds = int(os.environ.get("SECONDS") or _SECONDS)
    with lock.run("the torture"):
        found = tortured(seconds, torture.seed())
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for problem in found["problems"]:
        print(f"  {problem}")
    print(f"torture: {'failed' if found['problems'] else 'nothing stale'}, see {_RESULT}")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except project.SetupMissing as error:
        sys.exit(str(error))
