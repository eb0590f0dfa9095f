#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make torture-suppressed`: leaves one invalidation out on purpose and sees the torture find it.

suppressed.toml has the breaks, and of which the torture must tell that a read is stale, within a
minute. Those that leave nothing stale behind must be noticed by a test of the core. Arguments (or
SUPPRESSED=) select by name.
"""

import os
import shutil
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
TOP = _HERE.parents[2]
sys.path[:0] = [str(TOP / folder) for folder in (
    "tools/lib", "tools/build", "tools/testing", "tools/testing/takeover",
    "tools/testing/upstream", "tools/testing/selftests/mmu_notifier", "tools/testing/torture")]

import core  # noqa: E402
import kbuild  # noqa: E402
import lock  # noqa: E402
import module  # noqa: E402
import mutants  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import torture  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

_OUT = project.BUILD / "torture/suppressed"
_SECONDS = 60


@dataclass(frozen=True)
class Suppression:
    """A core with one invalidation left out."""

    name: str
    what: str
    edits: tuple
    # Where nothing stale comes of it: why, and the test of the core that notices it.
    reason: str = ""
    caught_by: str = ""


def load():
    """All suppressions, by name."""
    text = tomllib.loads((_HERE / "suppressed.toml").read_text())
    found = {}
    for kind, events in text["stale"].items():
        for event in events or [""]:
            name = f"{kind}-{event.lower()}" if event else kind
            found[name] = _of(text[kind], name, event)
    for kind, fate in text["harmless"].items():
        found[kind] = _of(text[kind], kind, "", **fate)
    return found


def _of(entry, name, event, **fate):
    edits = tuple((edit["file"], edit["search"], edit["replace"].replace("@EVENT@", event))
                  for edit in entry["edits"])
    return Suppression(name, entry["what"].replace("@EVENT@", event), edits, **fate)


def build(suppression, kernel):
    """Returns the module that leaves it out."""
    _OUT.mkdir(parents=True, exist_ok=True)
    built = module.build(kernel, _OUT / "build", suppression.edits)
    return Path(shutil.copy(built, _OUT / f"{suppression.name}.ko"))


def tortured(broken, seed, guest, name, seconds=_SECONDS):
    """Returns whether the torture finds it, and what it says, in a guest of its own."""
    try:
        with Guest(f"suppressed.{name}", log_dir=_OUT / name, **guest) as vm:
            torture.prepare(vm)
            core.take_over(vm, module=broken)
            outcome = torture.run(vm, seconds, seed)
            return outcome.red, outcome.finding or f"status {outcome.status}: nothing found"
    except GuestError as error:
        return False, str(error).splitlines()[0]


def noticed(suppression, broken, tests):
    """Returns whether the test of the core notices it, and how."""
    try:
        with Guest(f"suppressed.{suppression.name}", log_dir=_OUT / suppression.name,
                   **notifier_tests.guest_of(tests)) as vm:
            notifier_tests.prepare(vm)
            core.take_over(vm, module=broken)
            word = mutants.outcome(vm, suppression.caught_by)
    except GuestError as error:
        return False, str(error).splitlines()[0]
    return mutants.caught({"": word}), f"{suppression.caught_by} {word} ({suppression.reason})"


def examine(suppression, kernel, tests, guest, seed):
    """Returns whether it is found, and by what."""
    try:
        broken = build(suppression, kernel)
    except kbuild.BuildFailed as error:
        return False, f"the build failed: {error}"
    if suppression.caught_by:
        return noticed(suppression, broken, tests)
    return tortured(broken, seed, guest, suppression.name)


def examine_all(chosen, kernel):
    """Reports on each; returns the names of those that are not found."""
    guest, tests, missed = torture.guest(print), notifier_tests.built(), []
    for suppression in chosen:
        begin = time.monotonic()
        found, how = examine(suppression, kernel, tests, guest, torture.seed())
        print(f"{'found ' if found else 'MISSED'} {suppression.name:26} "
              f"{time.monotonic() - begin:4.0f} s  {suppression.what}\n{'':7}{how}", flush=True)
        if not found:
            missed.append(suppression.name)
    return missed


def main():
    suppressions = load()
    chosen = sys.argv[1:] or os.environ.get("SUPPRESSED", "").split() or list(suppressions)
    unknown = [name for name in chosen if name not in suppressions]
    if unknown:
        sys.exit(f"no such suppression: {' '.join(unknown)}\nthere are: {' '.join(suppressions)}")
    try:
        kernel = kbuild.target()
    except project.SetupMissing as error:
        sys.exit(str(error))
    with lock.run("the torture of broken cores"):
        missed = examine_all([suppressions[name] for name in chosen], kernel)
    print(f"{len(chosen) - len(missed)} found, {len(missed)} missed"
          + (f": {' '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
