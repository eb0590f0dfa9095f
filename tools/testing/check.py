#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make check`: runs the test suites and sums up.

SUITES="a b" in the environment, or arguments, select suites; `--list` shows them, and `--known` only
looks whether what is selected exists. The summary of a selection is summary.selected.json.
CHECK_MINUTES limits the whole run: what is left of it then is reported as failed.
"""

import os
import signal
import sys
import time
from pathlib import Path

TESTING = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTING.parent / "lib"))

import lock  # noqa: E402
import project  # noqa: E402
from check_report import Report  # noqa: E402
from check_suite import Suite  # noqa: E402


# Far more than a run takes, and far less than what an automatic build waits for.
_MINUTES = 79


def minutes():
    text = os.environ.get("CHECK_MINUTES") or str(_MINUTES)
    if not text.isdecimal() or int(text) == 0:
        sys.exit(f"CHECK_MINUTES={text}: not a number of minutes")
    return int(text)


def discover():
    suites = [Suite(path) for path in sorted((TESTING / "suites").glob("*.py"))]
    return sorted(suites, key=lambda suite: (suite.order, suite.name))


def select(suites, wanted):
    known = {suite.name for suite in suites}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"no such suite: {' '.join(unknown)}\nsuites: {' '.join(sorted(known))}")
    return [suite for suite in suites if not wanted or suite.name in wanted]


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)
    arguments = sys.argv[1:]
    suites = discover()
    if arguments == ["--list"]:
        for suite in suites:
            print(f"{suite.name:16} {suite.title}")
        return 0
    wanted = [argument for argument in arguments if argument != "--known"]
    chosen = select(suites, wanted or os.environ.get("SUITES", "").split())
    limit = 60 * minutes()
    if wanted != arguments:
        return 0
    with lock.run("check"):
        return check(chosen, len(chosen) == len(suites), time.monotonic() + limit)


def check(chosen, whole, end):
    """Runs the chosen suites until the time `end` and returns the exit status."""
    try:
        kernel = project.kernel().release
    except project.SetupMissing as error:
        sys.exit(str(error))

    report = Report(project.RESULTS, kernel, whole)
    report.comment(f"stock kernel {kernel}; suites: {' '.join(suite.name for suite in chosen)}")
    report.comment(f"consoles and kernel logs: {project.RESULTS}")
    try:
        for suite in chosen:
            suite.run(report, end - time.monotonic())
    except KeyboardInterrupt:
        report.comment("interrupted: no summary is written")
        return 130
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
