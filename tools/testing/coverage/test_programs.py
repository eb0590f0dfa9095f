# SPDX-License-Identifier: GPL-2.0
"""The test programs: builds them, and tells which tests they hold and what each says it reaches."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import lock
import project

DIRECTORY = Path(__file__).resolve().parent / "programs"
_LOG_TAIL = 30
_TEST = re.compile(r"^TEST(?:_F)?(?:_TIMEOUT)?\((?:\w+,\s*)?(\w+)(?:,\s*\d+)?\)|"
                   r"^TEST_SIGNAL\((\w+),", re.M)
_SITE = re.compile(r"\b[\w/-]+\.c:\w+(?::\w+)?(?:#\d+)?")


class ProgramError(Exception):
    """The programs do not build or do not say what they must."""


@dataclass(frozen=True)
class Test:
    """A test of a program, with all variants of its fixture."""

    program: str
    name: str
    reaches: tuple

    @property
    def id(self):
        return f"{self.program}.{self.name}"

    @property
    def command(self):
        # By its name alone: with its fixture's, the harness would run all tests of that.
        return f"/bin/coverage/{self.program} -t {self.name}"


def tests(directory=DIRECTORY):
    """Returns the tests of all programs, in order."""
    found = []
    for path in sorted(directory.glob("*.c")):
        text = path.read_text()
        if "TEST_HARNESS_MAIN" in text:
            found += of_program(path.stem, text)
    if twice := {test.id for test in found if [other.id for other in found].count(test.id) > 1}:
        raise ProgramError(f"more than one test is {', '.join(sorted(twice))}")
    return found


def of_program(program, text):
    """Returns the tests in the source of a program; the comment above one names its sites."""
    found = []
    for match in _TEST.finditer(text):
        name = match[1] or match[2]
        above = text[:match.start()].rstrip()
        comment = above[above.rindex("/*"):] if above.endswith("*/") else ""
        said = re.search(r"\bReaches\b(.*)", re.sub(r"\s+\*\s", " ", comment), re.S)
        reaches = tuple(_SITE.findall(said[1])) if said else ()
        if said and not reaches:
            raise ProgramError(f"{program}: {name} names no site that it reaches")
        found.append(Test(program, name, reaches))
    return found


def built():
    """Returns {path in the guest: host path} of the programs, made up to date first."""
    kernel = project.kernel()
    out = project.BUILD / "coverage" / kernel.release / "programs"
    with lock.held("building the programs of the coverage"):
        out.mkdir(parents=True, exist_ok=True)
        done = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", f"SOURCE={kernel.source}",
             f"TOP={project.TOP}", f"OUT={out}"],
            cwd=DIRECTORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_TAIL:])
        raise ProgramError(f"the programs of the coverage did not build:\n{tail}")
    return {f"/bin/coverage/{name}": out / name for name in {test.program for test in tests()}}
