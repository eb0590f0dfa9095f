# SPDX-License-Identifier: GPL-2.0
"""Runs one test of a program that is told by words when to go on, see talk.h."""

import re
import time

import notifier_tests

_FIFO = "/tmp/talk"
# Each test has a limit of its own; this only ends what hangs.
TIMEOUT = 900


class Talk:
    """One test of a program; reported when it has ended."""

    def __init__(self, check, vm, program, test, which, prefix=""):
        self._check, self._vm, self._program, self._which = check, vm, program, which
        self._prefix = prefix
        self._test = test
        self._heard = 0

    def __enter__(self):
        self._vm.run(f"rm -f {_FIFO}; mkfifo {_FIFO}", check=True)
        # Open for writing too, so that it does not end when the first word has been written.
        self._job = self._vm.start(f"exec {self._program} -t {self._test} <> {_FIFO}")
        return self

    def __exit__(self, kind, *_):
        if kind:
            self._job.signal("KILL")
            return
        end = self._job.wait(TIMEOUT)
        notifier_tests.report(self._check, end, self._program, self._which, self._prefix)
        notes(self._check, f"{self._prefix}{self._program}-{self._which}", self._which)

    def say(self, word):
        self._vm.write(_FIFO, f"{word}\n")

    def wait(self, word):
        """Waits for a line that begins so, after those waited for before; returns its rest."""
        pattern = re.compile(rf"^# {word}(.*)\n", re.MULTILINE)
        deadline = time.monotonic() + 60
        while not (found := pattern.search(self._job.output(), self._heard)):
            if self._job.ended or time.monotonic() > deadline:
                raise AssertionError(f"{self._program} did not say {word}: {self._job.output()[-300:]}")
            time.sleep(0.05)
        self._heard = found.end()
        return found[1]

    def stuck(self):
        """Waits until a callback is stuck; returns its thread, and those that wait for it."""
        stuck, _, *waiting = self.wait("stuck ").split()
        return int(stuck), [int(pid) for pid in waiting]


def notes(check, log, which):
    """Notes what a program has measured, by its log."""
    for line in (check.log_dir / f"{log}.log").read_text().splitlines():
        _, found, text = line.partition("# measured: ")
        if found:
            check.note(f"{which}: {text}")
