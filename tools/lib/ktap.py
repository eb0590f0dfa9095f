# SPDX-License-Identifier: GPL-2.0
"""Reads what KUnit has said in a kernel log: how each test ended, and what of it is missing."""

import re
from dataclasses import dataclass

_PREFIX = re.compile(r"^(?:<\d+>)?(?:\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? )?", re.MULTILINE)
_SUBTEST = re.compile(r"    # Subtest: (?P<suite>\S+)$")
_PLAN = re.compile(r"    1\.\.(?P<count>\d+)$")
_TEST = re.compile(r"    (?P<verdict>ok|not ok) \d+ (?P<test>\S+)"
                   r"(?: # (?P<skip>SKIP)\s?(?P<why>.*))?")
_END = re.compile(r"(?:ok|not ok) \d+ (?P<suite>\S+)")
_WHY = re.compile(r"\s+(?:# (?P<test>\S+): (?P<what>(?:ASSERTION|EXPECTATION) FAILED at .*|.*)|"
                  r"(?P<more>Expected .*|.* == .*))$")
# Said by an assertion in another thread, which KUnit does not count.
_UNCOUNTED = "Failure not reported to KUnit"


@dataclass
class Outcome:
    """How a test ended: "pass", "fail" or "skip", and why."""

    suite: str
    test: str
    verdict: str
    note: str = ""


class _Suite:
    """A suite that is being read."""

    def __init__(self, name):
        self.name = name
        self.planned = None
        self.found = []
        self._said = []

    def read(self, line):
        plan, test, why = _PLAN.match(line), _TEST.match(line), _WHY.match(line)
        if plan and self.planned is None:
            self.planned = int(plan["count"])
        elif test:
            self._ends(test)
        elif _UNCOUNTED in line or why:
            self._said.append(line.strip())

    def _ends(self, test):
        uncounted = any(_UNCOUNTED in line for line in self._said)
        if test["skip"]:
            verdict, note = "skip", test["why"] or "no reason given"
        elif test["verdict"] == "ok" and not uncounted:
            verdict, note = "pass", ""
        else:
            verdict, note = "fail", "; ".join(self._said)
        self.found.append(Outcome(self.name, test["test"], verdict, note))
        self._said = []

    def close(self, ended):
        """Returns its outcomes, and one more if they are not all that were to come."""
        if ended and self.planned == len(self.found):
            return self.found
        end = "" if ended else "the suite does not end; "
        note = f"{end}{len(self.found)} of {self.planned} tests reported; {'; '.join(self._said)}"
        return [*self.found, Outcome(self.name, "suite", "fail", note)]


def outcomes(log, prefix=""):
    """Returns the outcome of each test of the suites whose names begin with `prefix`, in order."""
    found, suite = [], None
    for line in _PREFIX.sub("", log).splitlines():
        begin, end = _SUBTEST.match(line), _END.match(line)
        if begin:
            found += suite.close(False) if suite else []
            suite = _Suite(begin["suite"])
        elif end and suite and end["suite"] == suite.name:
            found += suite.close(True)
            suite = None
        elif suite:
            suite.read(line)
    found += suite.close(False) if suite else []
    return [outcome for outcome in found if outcome.suite.startswith(prefix)]


def missing(found, suites):
    """Returns a failure for each of `suites` that has no outcome at all."""
    there = {outcome.suite for outcome in found}
    return [Outcome(suite, "suite", "fail", "did not run") for suite in suites
            if suite not in there]
