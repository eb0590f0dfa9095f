#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make stress`: everything at once, for SECONDS, from SEED.

KERNEL= is "stock", with C and Rust in charge in turns, or a debug kernel with the core in Rust
built in. With CORE= that core stays in charge, and the emulated processors run in parallel.
BREAK= takes a core that is wrong on purpose, by its name among those of `make mutants`. JOBS="a b"
runs only these jobs, CMDLINE= gives the guest's kernel more arguments.
What it did and found goes to build/results/stress.json.
"""

import json
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / folder) for folder in (
    "tools/lib", "tools/setup", "tools/build", "tools/testing", "tools/testing/takeover",
    "tools/testing/upstream", "tools/testing/torture", "tools/testing/selftests/mmu_notifier",
    "tools/testing/debug", "tools/testing/stress")]

import kbuild  # noqa: E402
import jobs  # noqa: E402
import kernels  # noqa: E402
import lock  # noqa: E402
import mutants  # noqa: E402
import project  # noqa: E402
import stress  # noqa: E402
import torture  # noqa: E402
import watchers  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

_RESULT = project.RESULTS / "stress.json"
_SECONDS = "300"
_STOCK = "stock"


def chosen(variable, known):
    """The environment's choice; the first that is known, without one."""
    value = os.environ.get(variable) or known[0]
    if value not in known:
        sys.exit(f"{variable}={value}: not known; there are {' '.join(filter(None, known))}")
    return value


def stressed(seconds, seed, takeovers, module, wanted):
    """Returns all that happened, for the result's file."""
    cmdline = os.environ.get("CMDLINE") or ""
    vm = Guest("stress", **stress.guest(takeovers, print, module, cmdline))
    problems, outcome = [], None
    try:
        with vm:
            outcome = stress.run(vm, seconds, seed, lambda text: print(f"  {text}", flush=True),
                                 takeovers, module and not takeovers, wanted)
            problems += outcome.problems
            if not problems:
                problems += [f"{name}: {found[:200]}"
                             for name, found in watchers.last_words(vm).items() if found]
    except GuestError as error:
        problems.append(str(error).splitlines()[0])
    counters = outcome.counters if outcome else {}
    announced = stress.ANNOUNCED if counters.get("victims.oom_kills") else ()
    problems += [said for said in vm.complaints(announced) if said not in problems]
    if outcome:
        print(f"  in all {outcome.story}")
    return {"kernel": project.kernel().release, "seed": seed, "problems": problems,
            "seconds": outcome and round(outcome.seconds),
            "counters": counters}


def the_kernel(name, core):
    """What project.using() takes; the stock kernel is in use already."""
    if name == _STOCK:
        return project.stock_kernel()
    with lock.held(f"building the {name} kernel"):
        return kernels.built(name, core)


def main():
    seconds = int(os.environ.get("SECONDS") or _SECONDS)
    name = chosen("KERNEL", (_STOCK, *kernels.NAMES))
    core = chosen("CORE", ("", "c", "rust"))
    wrong = chosen("BREAK", ("", *mutants.load()))
    wanted = (os.environ.get("JOBS") or " ".join(jobs.NAMES)).split()
    if unknown := {*wanted} - {*jobs.NAMES}:
        sys.exit(f"JOBS: {' '.join(unknown)}: not known; there are {' '.join(jobs.NAMES)}")
    stock = name == _STOCK
    if wrong and not stock:
        sys.exit("BREAK= is for the stock kernel, into which the core can be loaded")
    takeovers = stock and not core and not wrong
    with lock.run("the stress"), project.using(the_kernel(name, core or "rust")):
        module = project.MODULE if takeovers or stock and core == "rust" else None
        if wrong:
            module = mutants.build(mutants.load()[wrong], kbuild.target())
        print(f"  Linux {project.kernel().release}, seed {torture.seed()}", flush=True)
        found = stressed(seconds, torture.seed(), takeovers, module, wanted)
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for problem in found["problems"]:
        print(f"  {problem}")
    print(f"stress: {'failed' if found['problems'] else 'nothing wrong'}, see {_RESULT}")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except project.SetupMissing as error:
        sys.exit(str(error))
