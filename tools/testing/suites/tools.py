# SPDX-License-Identifier: GPL-2.0
"""The test tools' own tests, on the host: tools/testing/unit."""

import time
import unittest
from pathlib import Path

TITLE = "the judge of kernel logs, make check itself, file formats"
ORDER = -1

_UNIT = Path(__file__).resolve().parents[1] / "unit"


class _Reported(unittest.TestResult):
    """Hands each unit test's outcome to `make check`."""

    def __init__(self, check):
        super().__init__()
        self._check = check

    def startTest(self, test):
        super().startTest(test)
        self._problems, self._skipped = [], None
        self._begin = time.monotonic()

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._problems.append(str(error[1]))

    def addError(self, test, error):
        super().addError(test, error)
        if isinstance(test, unittest.TestCase):
            self._problems.append(repr(error[1]))
        else:  # a class or a module that could not be prepared: none of its tests will start
            self._check.result(_name(test), "-", "fail", note=repr(error[1]))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._problems.append(f"{subtest}: {error[1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._skipped = reason

    def stopTest(self, test):
        super().stopTest(test)
        outcome = "fail" if self._problems else "skip" if self._skipped else "pass"
        self._check.result(_name(test), "-", outcome, time.monotonic() - self._begin,
                           "; ".join(self._problems) or self._skipped or "")


def _name(test):
    return ".".join(part.removeprefix("test_") for part in test.id().split("."))


def run(check):
    tests = unittest.defaultTestLoader.discover(str(_UNIT))
    tests.run(_Reported(check))
