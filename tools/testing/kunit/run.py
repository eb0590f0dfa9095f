#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make kunit`: builds User Mode Linux with the core as it is here, and runs the core's unit tests.

Arguments name suites, with wildcards: run.py itree 'mm_*'.
"""

import sys

import uml

import kbuild  # noqa: E402
import kernel_log  # noqa: E402
import ktap  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402


def run(names):
    """Runs the suites and returns the exit status."""
    print("  building User Mode Linux ...", flush=True)
    program = uml.built(project.kernel())
    found, complaints = [], []
    for name in names or [""]:
        console = uml.run(program, uml.PREFIX + (name or "*"))
        found += ktap.outcomes(console, uml.PREFIX)
        complaints += kernel_log.complaints(console)
    if not names:
        found += ktap.missing(found, uml.suites())
    for outcome in found:
        name = f"{outcome.suite.removeprefix(uml.PREFIX)}.{outcome.test}"
        print(f"  {outcome.verdict:5}{name}{': ' if outcome.note else ''}{outcome.note}")
    for line in complaints:
        print(f"  the kernel complains: {line}")
    failed = sum(outcome.verdict == "fail" for outcome in found)
    print(f"  {len(found)} tests, {failed} failed")
    return 1 if failed or complaints or not found else 0


def main():
    try:
        with lock.run("kunit"):
            return run(sys.argv[1:])
    except (kbuild.BuildFailed, project.SetupMissing) as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    sys.exit(main())
