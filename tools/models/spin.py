# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Has spin verify a model, exhaustively.

A model's first comment names its broken variants, `Broken: MACRO: CLAIM`, where CLAIM says what has
to notice: `safety` (assertions, and ends that are none), or a formula of the model.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import project

SAFETY = "safety"
_MEGABYTES = 1900
_DEPTH = 1_000_000


@dataclass
class Outcome:
    errors: int
    states: int
    what: str  # the first error, in spin's words
    log: str


class Incomplete(Exception):
    """The verifier was not built, or did not see every state."""


class Model:
    def __init__(self, path):
        self.path = Path(path)
        self.name = self.path.stem
        text = self.path.read_text()
        self.claims = [SAFETY, *re.findall(r"^ltl (\w+)", text, re.MULTILINE)]
        self.broken = re.findall(r"^ \* Broken: (\w+): (\w+)$", text, re.MULTILINE)

    def verify(self, folder, claim=SAFETY, macro=None):
        """Looks at every state, in a folder of its own."""
        folder = Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        defines = [f"-D{macro}"] if macro else []
        log = self._run(folder, ["spin", *defines, "-a", self.path])
        # What is broken is found soon; to compile takes longer than to look.
        speed = "-O0" if macro else "-O1"
        kind = ["-DSAFETY", "-DNOCLAIM"] if claim == SAFETY else []
        built = self._run(folder, ["gcc", speed, "-w", f"-DMEMLIM={_MEGABYTES}", "-DVECTORSZ=2048",
                                   *kind, "-o", "pan", "pan.c"])
        if not (folder / "pan").exists():
            raise Incomplete(f"{self.name}: {log}{built}")
        how = [] if claim == SAFETY else ["-a", "-f", "-N", claim]
        log = self._run(folder, ["./pan", f"-m{_DEPTH}", "-n", *how])
        if macro is not None and list(folder.glob("*.trail")):
            (folder / "trail.log").write_text(self._run(
                folder, ["spin", *defines, "-p", "-g", "-k", next(folder.glob("*.trail")),
                         self.path]))
        (folder / "pan.log").write_text(log)
        for left in (*folder.glob("pan.[a-z]"), folder / "pan"):
            left.unlink()
        return _outcome(self.name, log)

    @staticmethod
    def _run(folder, argv):
        done = project.inside(argv, cwd=folder, capture_output=True, text=True)
        return done.stdout + done.stderr


def _outcome(name, log):
    errors = re.search(r"errors: (\d+)", log)
    states = re.search(r"(\d+) states, stored", log)
    if not errors or not states or "Search not completed" in log and errors[1] == "0" \
            or "max search depth too small" in log or "out of memory" in log:
        raise Incomplete(f"{name}: not every state was looked at: {log[:400]}")
    what = re.search(r"^pan:\d+: (.*)$", log, re.MULTILINE)
    return Outcome(int(errors[1]), int(states[1]), what[1] if what else "", log)
