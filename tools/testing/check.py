#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make check`: runs the test suites and sums up.

SUITES="a b" in the environment, or arguments, select suites; `--list` shows them.
"""

import os
import signal
import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTING.parent / "lib"))

import project  # noqa: E402
from check_report import Report  # noqa: E402
from check_suite import Suite  # noqa: E402


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
    chosen = select(suites, arguments or os.environ.get("SUITES", "").split())
    try:
        kernel = project.kernel().release
    except project.SetupMissing as error:
        sys.exit(str(error))

    report = Report(project.RESULTS, kernel)
    report.comment(f"stock kernel {kernel}; suites: {' '.join(suite.name for suite in chosen)}")
    report.comment(f"consoles and kernel logs: {project.RESULTS}")
    try:
        for suite in chosen:
            suite.run(report)
    except KeyboardInterrupt:
        report.comment("interrupted: no summary is written")
        return 130
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
