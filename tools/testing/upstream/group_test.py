# SPDX-License-Identifier: GPL-2.0
"""A group of upstream's programs as a test suite: each on both cores, then compared."""

import comparison
import cores
import results
import runner


def run(check, group, at_end=lambda vm: None):
    """Runs the programs of `group` that are wanted and reports each; `at_end` is for the guest."""
    with check.guest("stock", **group.guest()) as vm:
        probe = group.prepare(vm)
        outcomes = cores.on_each(vm, lambda core: _series(check, group, vm, core, probe))
        at_end(vm)
    if len(outcomes) == 1:
        return
    found = []
    for program in group.wanted:
        both = {core: outcomes[core][program.name] for core in outcomes}
        problems = comparison.problems(program, both)
        found.append((program, both, problems))
        check.result(f"{program.name}.same", "-", "fail" if problems else "pass", 0,
                     "; ".join(problems))
    results.remember(found)


def _series(check, group, vm, core, probe):
    outcomes = {}

    def report(program, outcome):
        outcomes[program.name] = outcome
        check.result(program.name, core, comparison.verdict(program, outcome), outcome.seconds,
                     comparison.summary(outcome))

    runner.run(vm, group.wanted, check.log_dir, core, report, probe)
    return outcomes
