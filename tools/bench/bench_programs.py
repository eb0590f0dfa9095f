# SPDX-License-Identifier: GPL-2.0
"""Builds the bench's driver and programs, and runs one in a guest."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import lock
import project

_FOLDER = Path(__file__).resolve().parent / "programs"
_LOG_TAIL = 30
NAMES = re.search(r"^PROGRAMS := (.*)$", (_FOLDER / "Makefile").read_text(),
                  re.MULTILINE)[1].split()


class BenchFailed(Exception):
    """The figures cannot be had; the message is for the person at the terminal."""


def built():
    """Returns the arguments for a Guest that has the driver loaded and the programs on board."""
    kernel = project.kernel()
    out = project.BUILD / "bench" / kernel.release
    with lock.held("building the bench"):
        out.mkdir(parents=True, exist_ok=True)
        done = project.inside(
            ["make", f"-j{os.cpu_count()}", f"SOURCE={kernel.source}", f"OBJDIR={kernel.objdir}",
             f"RELEASE={kernel.release}", f"OUT={out}"],
            cwd=_FOLDER, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_TAIL:])
        raise BenchFailed(f"the bench did not build:\n{tail}")
    return {"programs": {f"/bin/bench-{name}": out / name for name in NAMES},
            "modules": [out / "driver/mmu_notifier_bench.ko"]}


@dataclass(frozen=True)
class Key:
    """What was measured, by the name of its figure and its parameters."""

    name: str
    params: tuple

    @classmethod
    def parsed(cls, words):
        return cls(words[0], tuple(tuple(word.split("=", 1)) for word in words[1:]))


@dataclass
class Said:
    """What one run of a program printed, as {Key: [numbers]} by the first word of the line."""

    sample: dict = field(default_factory=dict)
    floor: dict = field(default_factory=dict)
    flavour: dict = field(default_factory=dict)

    @classmethod
    def parsed(cls, output):
        said = cls()
        for line in output.splitlines():
            kind, *words, number = line.split()
            into = getattr(said, kind)
            into.setdefault(Key.parsed(words), []).append(float(number))
        return said

    def only(self, name):
        """What was said of one figure."""
        return Said(*({key: numbers for key, numbers in said.items() if key.name == name}
                      for said in (self.sample, self.floor, self.flavour)))

    def with_param(self, name, value):
        """The same with one more parameter."""
        return Said(*({Key(key.name, (*key.params, (name, value))): numbers
                       for key, numbers in said.items()}
                      for said in (self.sample, self.floor, self.flavour)))


def run(vm, command, timeout=300, repeat=1):
    """Runs a program with its arguments, so many times; returns all that it said."""
    return Said.parsed("".join(vm.run(f"exec bench-{command}", timeout, check=True).output
                               for _ in range(repeat)))
