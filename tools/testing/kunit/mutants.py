#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make kunit-mutants`: breaks the core on purpose and sees that its unit tests notice.

Takes the breaks of mutants.toml beside this file, in the form that ../mutants.py explains, where
each of `caught_by` is "suite test". With --all, also looks which of the breaks for the guests'
tests are noticed here, and wants nothing of them. Other arguments select breaks by name.
"""

import sys
import time
import tomllib
from pathlib import Path

import uml

import kbuild  # noqa: E402
import kernel_log  # noqa: E402
import ktap  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402

_OURS = Path(__file__).with_name("mutants.toml")
_OTHERS = sorted((uml.TESTING / "mutants").glob("*.toml"))
# What hangs is caught; there is no need to wait as long as for what is only slow.
_TEST_TIMEOUT = 20
_TIMEOUT = 60


def _load(paths):
    return {name: entry for path in paths
            for name, entry in tomllib.loads(path.read_text()).items()}


def _edits(entry):
    return tuple((edit["file"], edit["search"], edit["replace"]) for edit in entry["edits"])


def examine(kernel, entry):
    """Returns how the tests of a broken core end, as {"suite test": verdict}, and complaints.

    Those run whose suites are to notice; where no suite is known, all.
    """
    program = uml.built(kernel, _edits(entry))
    verdicts, complaints = {}, []
    known = {uml.PREFIX + test.split()[0] for test in entry["caught_by"]} & {*uml.suites()}
    for suite in sorted(known) or [f"{uml.PREFIX}*"]:
        console = uml.run(program, suite, _TEST_TIMEOUT, _TIMEOUT)
        complaints += kernel_log.complaints(console)
        for outcome in ktap.outcomes(console, uml.PREFIX):
            name = f"{outcome.suite.removeprefix(uml.PREFIX)} {outcome.test}"
            verdicts[name] = outcome.verdict
    return verdicts, complaints


def _examine_all(kernel, mutants, wanted):
    survivors = []
    for name, entry in mutants.items():
        begin, log = time.monotonic(), ""
        try:
            verdicts, complaints = examine(kernel, entry)
        except kbuild.BuildFailed as error:
            verdicts, complaints, log = {}, [], str(error).splitlines()[0]
        failed = [test for test, verdict in verdicts.items() if verdict == "fail"]
        # One that is not told of hangs, or comes after one that does.
        missing = [test for test in entry["caught_by"]
                   if name in wanted and verdicts.get(test) in ("pass", "skip")]
        good = not missing and (failed or complaints)
        if name in wanted and not good:
            survivors.append(name)
        print(f"{'caught  ' if good else 'SURVIVED'} {name:34} {time.monotonic() - begin:4.0f} s  "
              f"{entry['what']}", flush=True)
        lines = [*(f"fails: {test}" for test in failed), *(f"does not: {test}" for test in missing),
                 *complaints[:1], *([log] if log else [])]
        print("".join(f"{'':9}{line}\n" for line in lines), end="", flush=True)
    print(f"{len(mutants)} breaks, {len(survivors)} survived {' '.join(survivors)}".rstrip())
    return 1 if survivors else 0


def main():
    ours = _load([_OURS])
    everything = _load(_OTHERS) | ours
    names = [name for name in sys.argv[1:] if name != "--all"]
    if unknown := [name for name in names if name not in everything]:
        sys.exit(f"no such mutant: {' '.join(unknown)}\nmutants: {' '.join(everything)}")
    chosen = names or (everything if "--all" in sys.argv[1:] else ours)
    try:
        with lock.run("kunit-mutants"):
            return _examine_all(project.kernel(), {name: everything[name] for name in chosen}, ours)
    except project.SetupMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())
