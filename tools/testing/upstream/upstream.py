# SPDX-License-Identifier: GPL-2.0
"""Upstream's own test programs, built from the source of the kernel under test."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import project
import runs
from marks import Mark

_MAKEFILE = Path(__file__).with_name("Makefile")
_LOG_TAIL = 20

KVM_PROGRAMS = sorted({run.program for run in runs.KVM_RUNS})
MM_PROGRAMS = sorted({run.program for run in runs.MM_RUNS if run.directory == runs.MM})


class BuildFailed(Exception):
    """Upstream's programs did not build."""


class Upstream:
    """Where the built programs are."""

    def __init__(self, directory):
        self.headers = directory / "headers" / "usr" / "include"
        self.hmm_tests = directory / "hmm-tests"
        self.rdma_odp = directory / "rdma_odp"
        self.test_hmm, self.gup_test, self.attach = (
            directory / name / f"{name}.ko"
            for name in ("test_hmm", "gup_test_module", "mmu_notifier_attach"))
        self.kvm = {name: directory / "kvm" / name for name in KVM_PROGRAMS}
        self.mm = {name: directory / "mm" / name for name in MM_PROGRAMS}


def built(note=lambda text: None):
    """Returns the programs, built first if they are not there for this kernel."""
    kernel = project.kernel()
    directory = project.BUILD / "upstream" / kernel.release
    directory.parent.mkdir(parents=True, exist_ok=True)
    inputs = [(kernel.directory / "prepared").read_text(), KVM_PROGRAMS, MM_PROGRAMS,
              _MAKEFILE.read_text()]
    # Where only sources of ours have changed, make knows what to do.
    begun, mark = (Mark(directory / "begun", inputs),
                   Mark(directory / "built", [*inputs, *_sources()]))
    with open(directory.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.holds():
            note("building upstream's programs (about 90 s)")
            if not begun.holds():
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                begun.set()
            _build(kernel, directory)
            mark.set()
    return Upstream(directory)


def _sources():
    """The text of what is built besides upstream's own sources."""
    folders = (_MAKEFILE.with_name(name) for name in ("attach", "gup_test", "rdma"))
    return [path.read_text() for folder in folders for path in sorted(folder.iterdir())]


def _build(kernel, directory):
    log = project.LOGS / f"{kernel.release}-upstream.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        result = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", "-f", _MAKEFILE,
             f"SOURCE={kernel.source}", f"OBJDIR={kernel.objdir}", f"RELEASE={kernel.release}",
             f"OUT={directory}", f"KVM={' '.join(KVM_PROGRAMS)}", f"MM={' '.join(MM_PROGRAMS)}"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        raise BuildFailed(f"upstream's programs did not build, see {log}:\n" + "\n".join(tail))
