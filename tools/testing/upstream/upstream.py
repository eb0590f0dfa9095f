# SPDX-License-Identifier: GPL-2.0
"""Upstream's own test programs, built from the source of the kernel under test."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import project
from marks import Mark

_MAKEFILE = Path(__file__).with_name("Makefile")
_LOG_TAIL = 20

KVM_PROGRAMS = ("set_memory_region_test", "demand_paging_test", "memslot_modification_stress_test",
                "kvm_page_table_test", "mmu_stress_test")


class BuildFailed(Exception):
    """Upstream's programs did not build."""


class Upstream:
    """Where the built programs are."""

    def __init__(self, directory):
        self.headers = directory / "headers" / "usr" / "include"
        self.hmm_tests = directory / "hmm-tests"
        self.test_hmm = directory / "test_hmm" / "test_hmm.ko"
        self.kvm = {name: directory / "kvm" / name for name in KVM_PROGRAMS}


def built(note=lambda text: None):
    """Returns the programs, built first if they are not there for this kernel."""
    kernel = project.kernel()
    directory = project.BUILD / "upstream" / kernel.release
    directory.parent.mkdir(parents=True, exist_ok=True)
    mark = Mark(directory / "built", [(kernel.directory / "prepared").read_text(),
                                      _MAKEFILE.read_text(), KVM_PROGRAMS])
    with open(directory.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.holds():
            note("building upstream's programs (about 30 s)")
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            _build(kernel, directory)
            mark.set()
    return Upstream(directory)


def _build(kernel, directory):
    log = project.LOGS / f"{kernel.release}-upstream.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        result = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", "-f", _MAKEFILE,
             f"SOURCE={kernel.source}", f"OBJDIR={kernel.objdir}", f"RELEASE={kernel.release}",
             f"OUT={directory}", f"KVM={' '.join(KVM_PROGRAMS)}"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        raise BuildFailed(f"upstream's programs did not build, see {log}:\n" + "\n".join(tail))
