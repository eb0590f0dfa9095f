# SPDX-License-Identifier: GPL-2.0
"""Wrong cores that the comparison must find out: some of tools/testing/mutants, and wrong.toml."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import core
import difference
import kbuild
import module
import mutants
import project
import recording

# An end that is left out, and an order turned round.
_MUTANTS = ("skip-an-end", "finish-reversed")
_MORE = Path(__file__).resolve().with_name("wrong.toml")
PROGRAMS = 40

_OUT = project.BUILD / "compare/wrong"


def wrong_cores():
    """The wrong cores, as mutants."""
    known = mutants.load()
    return [*(known[name] for name in _MUTANTS), *mutants.load([_MORE]).values()]


def start_building():
    """Builds the wrong cores meanwhile; the result yields (name, module) when it is called."""
    kernel, threads = kbuild.target(), ThreadPoolExecutor(1)
    builds = {mutant.name: threads.submit(_build, mutant, kernel) for mutant in wrong_cores()}
    threads.shutdown(wait=False)
    return lambda: ((name, build.result()) for name, build in builds.items())


def _build(mutant, kernel):
    _OUT.mkdir(parents=True, exist_ok=True)
    built = module.build(kernel, _OUT / "build", mutant.edits)
    return shutil.copy(built, _OUT / f"{mutant.name}.ko")


def examine(vm, wrong, seed, c):
    """Puts a wrong core in the place of the one that serves; returns what it tells otherwise."""
    core.hand_back(vm)
    vm.run(f"rm {core.IN_GUEST}", check=True)
    core.take_over(vm, module=wrong)
    told, _ = recording.random_programs(vm, seed, 0, PROGRAMS)
    return difference.of_programs(c[:PROGRAMS], told)
