#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make check-debug`: the built-in core under kernels that watch themselves.

KERNELS="debug kcsan", CORES="rust c" and SUITES="a b" in the environment select. The summary is
build/results/debug/summary.json; CHECK_MINUTES limits the whole run: no suite goes on and no build
begins after it. What does not fit into it has failed; with FIT=1 it is skipped.
"""

import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in ("debug", "../lib", "../setup", ".")]

import ahead  # noqa: E402
import check as whole_check  # noqa: E402
import kernels  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
from check_report import Report  # noqa: E402
from check_suite import Suite  # noqa: E402
from progress import Failed  # noqa: E402

_OWN = ("kunit", "watched", "allocations")
# Of `make check`: with one core built in they compare nothing, but they run.
_SHARED = ("hazards", "drivers", "hmm", "torture", "kvm")


def chosen(variable, known, default):
    """What the environment selects of the names that are known."""
    wanted = os.environ.get(variable, "").split() or list(default)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"{variable}={' '.join(unknown)}: not known; there are {' '.join(known)}")
    return wanted


def paths():
    """The suites' files by name, in the order to run them in."""
    return {name: _TESTING / folder / f"{name}.py"
            for folder, names in (("debug/suites", _OWN), ("suites", _SHARED)) for name in names}


def run(report, kernel, names, end, fit):
    """Runs the suites on one kernel until the time `end`."""
    report.comment("")
    report.comment(f"Linux {kernel.release}, core in {kernel.core}")
    with project.using(kernel):
        for name in names:
            suite = Suite(paths()[name], f"{kernel.name}.{kernel.core}.")
            suite.run(report, end - time.monotonic(), fit)


def _meanwhile(name, core, end):
    """Builds the next kernel, if there is one, while the suites run on this one."""
    return ahead.built_meanwhile(name, core, end) if name else nullcontext()


def main():
    signal.signal(signal.SIGTERM, whole_check.interrupt)
    end = time.monotonic() + 60 * whole_check.minutes()
    fit = os.environ.get("FIT", "0") not in ("", "0")
    wanted = chosen("KERNELS", kernels.NAMES, kernels.NAMES)
    cores = chosen("CORES", kernels.CORES, ("rust",))
    names = chosen("SUITES", list(paths()), paths())
    everything = (wanted, cores, names) == (list(kernels.NAMES), ["rust"], list(paths()))
    with lock.run("check-debug"):
        report = Report(project.RESULTS / "debug", project.kernel().release, everything)
        try:
            for name, following in zip(wanted, [*wanted[1:], None]):
                for core in cores:
                    begin, build = time.monotonic(), f"{name}.{core}.build"
                    if begin >= end:
                        report.result(build, "-", "skip" if fit else "fail", 0,
                                      "not built: the time of the whole check is over")
                        continue
                    with lock.held(f"building the {name} kernel"):
                        kernel = kernels.built(name, core)
                    # So that a run in which this is all that fits has not failed.
                    report.result(build, "-", "pass", time.monotonic() - begin)
                    with _meanwhile(following if core == cores[-1] else None, cores[0], end):
                        run(report, kernel, names, end, fit)
        except Failed as failure:
            report.result(build, "-", "fail", 0, str(failure).splitlines()[0])
            report.comment(str(failure))
        except KeyboardInterrupt:
            report.comment("interrupted: no summary is written")
            return 130
        return report.finish()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except project.SetupMissing as error:
        sys.exit(str(error))
