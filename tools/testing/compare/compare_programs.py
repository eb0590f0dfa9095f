# SPDX-License-Identifier: GPL-2.0
"""Builds the programs of this directory."""

import os
import subprocess
from pathlib import Path

import lock
import project

_HERE = Path(__file__).resolve().parent
_NOTIFIER = _HERE.parent / "selftests/mmu_notifier"
_LOG_TAIL = 30

RECORDED = "/bin/recorded"
RANDOM = "/bin/random_programs"


class BuildFailed(Exception):
    """The programs did not build."""


def built():
    """Returns {path in the guest: host path} of the programs, made up to date first."""
    kernel = project.kernel()
    out = project.BUILD / "compare" / kernel.release
    with lock.held("building the programs of the comparison"):
        out.mkdir(parents=True, exist_ok=True)
        done = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", f"SOURCE={kernel.source}",
             f"NOTIFIER={_NOTIFIER}", f"OUT={out}"],
            cwd=_HERE / "programs", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_TAIL:])
        raise BuildFailed(f"the programs of the comparison did not build:\n{tail}")
    return {path: out / Path(path).name for path in (RECORDED, RANDOM)}
