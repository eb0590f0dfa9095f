# SPDX-License-Identifier: GPL-2.0
"""The load of storm.c: processes that register, change their memory and exit, all the time."""

import re
from pathlib import Path

import project

IN_GUEST = "/bin/storm"

_SOURCE = Path(__file__).with_name("storm.c")
_OUT = project.BUILD / "takeover"
_WORKERS = 2


def built(programs):
    """Returns the program's path; `programs` are upstream's, for test_hmm's interface."""
    _OUT.mkdir(parents=True, exist_ok=True)
    project.inside(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
                    "-isystem", programs.headers, "-I", programs.test_hmm.parent,
                    "-o", _OUT / "storm", _SOURCE], check=True)
    return _OUT / "storm"


class Storm:
    name = "storm"
    brisk = True

    def __init__(self, vm, devices):
        self._job = vm.start(f"exec {IN_GUEST} {_WORKERS} {' '.join(devices)}")

    def counters(self):
        """Returns what must grow while it is alive."""
        lives = re.findall(r"^progress lives=(\d+)$", self._job.output(), re.MULTILINE)
        return {"lives": int(lives[-1]) if lives else 0}

    def running(self):
        return self._job.poll() is None

    def end(self):
        """Ends it; returns what it found wrong."""
        if self.running():
            self._job.signal("TERM")
        end = self._job.wait()
        wrong = [line for line in end.output.splitlines() if line.startswith("wrong ")]
        return wrong or ([] if end.status == 0 else [f"status {end.status}"])
