# SPDX-License-Identifier: GPL-2.0
"""Every call site of the hooks, reached by a test that finds no stale translation, on both cores.

On C the programs run as they are; on Rust each test runs alone, and which sites call is traced.
"""

import os
import re
import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "coverage"), str(_TESTING / "upstream"),
                str(_TESTING.parent / "build")]

import cores  # noqa: E402
import coverage_table  # noqa: E402
import outcome  # noqa: E402
import project  # noqa: E402
import sites  # noqa: E402
import test_programs  # noqa: E402
import testbed  # noqa: E402
from tracing import Tracing  # noqa: E402

TITLE = "the call sites of the hooks, and no stale translation behind any of them"
ORDER = 30
# The kernel's callers are compiled first, once for each kernel.
TIMEOUT = 1500

_RESULT = project.RESULTS / "coverage.json"


def run(check):
    _RESULT.unlink(missing_ok=True)
    all_sites = sites.sites(check.note)
    tests = test_programs.tests()
    passes = {"c": lambda vm: _plain(check, vm, tests),
              "rust": lambda vm: _traced(check, vm, tests, all_sites)}
    with check.guest("stock", **testbed.arguments(check.note)) as vm:
        testbed.prepare(vm)
        ends = cores.on_each(vm, lambda core: passes[core](vm))
        check.count_takeovers(1)
    rows, wrong = outcome.judge(all_sites, tests, ends["rust"], outcome.unreachable())
    outcome.write(rows, _RESULT)
    for row in rows:
        complaint = wrong.pop(row.site, "")
        check.result(f"site.{row.site}", "rust", "fail" if complaint else "pass", 0, complaint)
    for name, complaint in wrong.items():
        check.result(f"says.{name}", "-", "fail", 0, complaint)
    # The table in the documentation is of the kernel that is tested by default.
    if not os.environ.get("KVER"):
        stale = coverage_table.stale(rows)
        check.result("documentation", "-", "fail" if stale else "pass", 0, stale)


def _report(check, core, name, verdicts, output, seconds):
    for test, verdict in verdicts.items():
        # Tests without a fixture have one of that name.
        short = test.removeprefix("global.").removeprefix(f"{name}.")
        note = "" if verdict == "pass" else _reason(output, test)
        check.result(f"{name}.{short}", core, verdict, seconds / len(verdicts), note)


def _reason(output, test):
    """What was wrong, in the words of the test; else what it expected; else how it ended."""
    name = re.escape(test.rpartition(".")[2])
    said = re.findall(rf"^# \S+:\d+:{name}:(.*)$|^#\s+SKIP\s+(.*)$", output, re.M)
    words = ["".join(one).strip() for one in said]
    end = re.findall(rf"^# {name}: (.*)$", output, re.M)
    own = [word for word in words if not word.startswith("Expected")]
    return next(iter(own + words + end), "see its log")


def _plain(check, vm, tests):
    for program in dict.fromkeys(test.program for test in tests):
        verdicts, output, seconds = testbed.run(vm, f"/bin/coverage/{program}")
        (check.log_dir / f"{program}-c.log").write_text(output)
        _report(check, "c", program, verdicts, output, seconds)


def _traced(check, vm, tests, all_sites):
    """Returns {test id: {site id: Seen}}."""
    seen = {}
    with Tracing(vm, all_sites) as tracing:
        for test in tests:
            tracing.clear()
            verdicts, output, seconds = testbed.run(vm, test.command)
            seen[test.id] = tracing.read()
            (check.log_dir / f"{test.id}-rust.log").write_text(output)
            _report(check, "rust", test.program, verdicts, output, seconds)
    return seen
