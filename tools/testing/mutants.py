#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make mutants`: breaks the core on purpose and sees that the tests notice.

Each entry of mutants/*.toml is one break: `what` it is, the `edits` that make it (`search` must be
found exactly once in `file` of a copy of the sources), and the tests that must come out red, all of
them: "program test" or "program variant test". Arguments select breaks by name.
"""

import concurrent.futures
import os
import shutil
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

TESTING = Path(__file__).resolve().parent
TOP = TESTING.parents[1]
sys.path[:0] = [str(TOP / path) for path in (
    "tools/lib", "tools/build", "tools/testing/selftests/mmu_notifier", "tools/testing/upstream")]

import core  # noqa: E402
import kbuild  # noqa: E402
import lock  # noqa: E402
import module  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import tap  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

_OUT = project.BUILD / "mutants"
# The harness ends a test after 30 or 60 s, one of the suite isolation after 280; what does not end
# even then hangs in the kernel.
_TEST_TIMEOUT = 75
_ISOLATION_TIMEOUT = 300


@dataclass(frozen=True)
class Mutant:
    """One break of the core."""

    name: str
    what: str
    edits: tuple
    caught_by: tuple


def load(paths=()):
    """All mutants, by name; with `paths`, those that these files hold."""
    found = {}
    for path in paths or sorted((TESTING / "mutants").glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text()).items():
            if name in found:
                sys.exit(f"{path}: a second mutant {name}")
            edits = tuple((edit["file"], edit["search"], edit["replace"])
                          for edit in entry["edits"])
            found[name] = Mutant(name, entry["what"], edits, tuple(entry.get("caught_by", ())))
    return found


def build(mutant, kernel):
    """Returns the broken module."""
    built = module.build(kernel, _OUT / "build", mutant.edits)
    return Path(shutil.copy(built, _OUT / f"{mutant.name}.ko"))


def outcome(vm, test):
    """How a test ends: "pass", or in which way it is red."""
    program, *variant, name = test.split()
    choice = f" -v {variant[0]}" if variant else ""
    timeout = _ISOLATION_TIMEOUT if program in notifier_tests.ISOLATION else _TEST_TIMEOUT
    try:
        end = vm.run(f"exec {program}{choice} -t {name}", timeout)
    except GuestError:
        return "hangs"
    verdicts = [verdict for full, verdict in tap.results(end.output).items()
                if full.endswith(f".{name}") and (not variant or f".{variant[0]}." in full)]
    if not verdicts or "skip" in verdicts:
        return "did not run"
    if "fail" not in verdicts:
        return "pass"
    return "times out" if "terminated by timeout" in end.output else "fails"


def examine(mutant, broken, tests):
    """Returns the outcome of each test of the mutant, each in a guest of its own."""
    outcomes = {}
    for number, test in enumerate(mutant.caught_by):
        try:
            with Guest(f"mutant.{mutant.name}", log_dir=_OUT / mutant.name / str(number),
                       **notifier_tests.guest_of(tests)) as vm:
                notifier_tests.prepare(vm)
                core.take_over(vm, module=broken)
                outcomes[test] = outcome(vm, test)
        except GuestError as error:
            outcomes[test] = f"no guest: {str(error).splitlines()[0]}"
    return outcomes


def caught(outcomes):
    return all(word in ("fails", "times out", "hangs") for word in outcomes.values())


def report(mutant, outcomes, seconds):
    verdict = "caught  " if caught(outcomes) else "SURVIVED"
    print(f"{verdict} {mutant.name:32} {seconds:4.0f} s  {mutant.what}", flush=True)
    for test, word in outcomes.items():
        print(f"{'':9}{word:>32}  {test}", flush=True)


def main():
    mutants = load()
    unknown = [name for name in sys.argv[1:] if name not in mutants]
    if unknown:
        sys.exit(f"no such mutant: {' '.join(unknown)}\nmutants: {' '.join(mutants)}")
    chosen = [mutants[name] for name in sys.argv[1:] or os.environ.get("MUTANTS", "").split()
              or mutants]
    try:
        kernel = kbuild.target()
    except project.SetupMissing as error:
        sys.exit(str(error))
    with lock.run("mutants"):
        return run(chosen, kernel)


def run(chosen, kernel):
    """Builds and examines the chosen mutants and returns the exit status."""
    tests = notifier_tests.built()
    _OUT.mkdir(exist_ok=True)
    survivors = []
    with concurrent.futures.ThreadPoolExecutor(1) as builder:
        # The next one is built while a guest runs the last.
        builds = [builder.submit(build, mutant, kernel) for mutant in chosen]
        for mutant, broken in zip(chosen, builds):
            begin = time.monotonic()
            try:
                outcomes = examine(mutant, broken.result(), tests)
            except kbuild.BuildFailed as error:
                outcomes = {"the build": f"failed: {error}"}
            report(mutant, outcomes, time.monotonic() - begin)
            if not caught(outcomes):
                survivors.append(mutant.name)
    print(f"{len(chosen) - len(survivors)} caught, {len(survivors)} survived"
          + (f": {' '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
