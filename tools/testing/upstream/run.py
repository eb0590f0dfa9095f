#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make upstream`: all of upstream's programs in full, with C and then with Rust in charge.

PROGRAMS="a b" runs only these, and leaves what is known of the others; CORE=path is another module
than the project's, to see a wrong core be noticed: then nothing is written down. Results go to
build/results/upstream.json, the table to upstream.txt beside it.
"""

import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / folder) for folder in (
    "tools/lib", "tools/build", "tools/testing/upstream")]

import comparison  # noqa: E402
import cores  # noqa: E402
import groups  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
import results  # noqa: E402
import runner  # noqa: E402
import runs  # noqa: E402
from guest import Guest  # noqa: E402
from guest_job import GuestError  # noqa: E402


def say(text):
    print(f"  {text}", flush=True)


def ran(group, module):
    """Runs a group on both; returns [(program, outcomes, problems)] and what else is wrong."""
    log_dir = project.RESULTS / "upstream-full" / group.name
    vm = Guest(f"upstream.{group.name}", log_dir=log_dir, **group.guest())
    outcomes = {"c": {}, "rust": {}}
    wrong = []
    try:
        with vm:
            probe = group.prepare(vm)
            cores.on_each(vm, lambda core: _on(vm, group, core, probe, outcomes[core], log_dir),
                          module)
    except GuestError as error:
        wrong.append(str(error))
    found = []
    for program in group.wanted:
        both = {core: outcomes[core].get(program.name, runner.Outcome()) for core in outcomes}
        found.append((program, both, comparison.problems(program, both)))
    return found, wrong + vm.complaints()


def _on(vm, group, core, probe, outcomes, log_dir):
    def told(program, outcome):
        outcomes[program.name] = outcome
        say(f"{core:4} {program.name:32} {outcome.seconds:7.1f} s  {comparison.summary(outcome)}")

    runner.run(vm, group.wanted, log_dir, core, told, probe)


def main():
    names = os.environ.get("PROGRAMS", "").split()
    unknown = set(names) - {run.name for kind in groups.GROUPS for run in kind.runs}
    if unknown:
        sys.exit(f"no such program: {' '.join(sorted(unknown))}")
    core = os.environ.get("CORE")
    found, wrong = [], []
    with lock.run("upstream's programs"):
        for kind in groups.GROUPS:
            wanted = runs.chosen(kind.runs, whole=True, names=names)
            if wanted:
                group, more = ran(kind(wanted, say), Path(core or project.MODULE).resolve())
                found += group
                wrong += [f"{kind.name}: {line}" for line in more]
                if not core:
                    results.remember(group)
    print("\n".join(comparison.table(found)))
    for program, _, problems in found:
        for problem in problems:
            say(f"{program.name}: {problem}")
    for line in wrong:
        say(line)
    return 1 if wrong or any(problems for _, _, problems in found) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except project.SetupMissing as error:
        sys.exit(str(error))
