# SPDX-License-Identifier: GPL-2.0
"""Builds the driver and the programs of this directory, or of one below, and runs a program."""

import os
import re
import subprocess
from pathlib import Path

import lock
import project
import tap

_HERE = Path(__file__).resolve().parent
_LOG_TAIL = 30
# Only to end what hangs: every test has a limit of its own in the harness.
_TIMEOUT = 300

PROGRAMS = re.search(r"^PROGRAMS := ((?:.*\\\n)*.*)$", (_HERE / "Makefile").read_text(),
                     re.MULTILINE)[1].replace("\\", "").split()
# Those of the suite isolation.
ISOLATION = ("isolation", "isolation_own", "isolation_moves", "stuck_callbacks")


class BuildFailed(Exception):
    """The tests did not build."""


class Built:
    """Where the built driver and programs are."""

    def __init__(self, directory):
        self.driver = directory / "driver" / "mmu_notifier_test.ko"
        self.programs = {f"/bin/{name}": directory / name for name in PROGRAMS}


def built():
    """Returns the driver and the programs, made up to date first."""
    return Built(_make(_HERE, _out()))


def folders():
    """The folders below this one with programs of their own: one for each sample driver."""
    return sorted(makefile.parent.name for makefile in _HERE.glob("*/Makefile"))


def built_in(folder):
    """Returns the programs of a folder as {name: path}, in its order, made up to date first."""
    return built_at(_HERE / folder)


def built_at(folder):
    """The same for the folder at a path."""
    out = _make(folder, _out() / folder.name)
    names = project.inside(["make", "--silent", "--eval=names: ; @echo $(PROGRAMS)", "names"],
                           cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return {name: out / name for name in names.stdout.split()}


def _out():
    return project.BUILD / "selftests" / project.kernel().release


def _make(folder, out):
    """Builds the programs of a folder in `out`, which it returns."""
    kernel = project.kernel()
    with lock.held("building the notifier tests"):
        out.mkdir(parents=True, exist_ok=True)
        done = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", f"SOURCE={kernel.source}",
             f"OBJDIR={kernel.objdir}", f"RELEASE={kernel.release}", f"OUT={out}"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_TAIL:])
        raise BuildFailed(f"the tests in {folder.name} did not build:\n{tail}")
    return out


def guest_of(tests):
    """The guest that the programs need, as arguments for one."""
    # SRCU as on a machine with many processors, see frees.c.
    return {"programs": tests.programs, "modules": ["zram", tests.driver],
            "cmdline": "srcutree.convert_to_big=1"}


def prepare(vm):
    """Gives the guest swap space, without which nothing ages."""
    vm.run("echo 64M > /sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0",
           check=True)


def run(check, vm, program, core, prefix="", timeout=_TIMEOUT):
    """Runs a program, reports each of its tests, returns the verdicts by name."""
    patience = project.kernel().patience
    command = f"MNT_PATIENCE={patience} exec {program}" if patience > 1 else f"exec {program}"
    return report(check, vm.run(command, timeout), program, core, prefix)


def report(check, end, program, core, prefix=""):
    """Reports each test of a program that has ended, returns the verdicts by name."""
    (check.log_dir / f"{prefix}{program}-{core}.log").write_text(end.output)
    verdicts = tap.results(end.output)
    for name, verdict in verdicts.items():
        short = name.removeprefix("notifier.").removeprefix(f"{program}.")
        check.result(f"{prefix}{program}.{short}", core, verdict, end.seconds / len(verdicts),
                     "" if verdict == "pass" else _reason(end.output, short))
    return verdicts


def _reason(output, test):
    """The harness's first word on why a test failed or was skipped, or a plain program's last."""
    short = test.rpartition(".")[2]
    said = re.search(rf"^# \S+:\d+:{short}:(.*)$|^#\s+SKIP\s+(.*)$|^# {short}: (.*)$", output,
                     re.MULTILINE)
    said = said or re.search(rf"^# (.*)\n(?:not )?ok \d+ {re.escape(test)}\b", output, re.MULTILINE)
    return next(filter(None, said.groups())).strip() if said else ""
