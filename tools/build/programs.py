#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make programs: the project's user-space programs, gathered in build/programs."""

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import guest_programs
import kvm_guest
import lock
import project

_OUT = project.BUILD / "programs"


def gather(program: Path) -> None:
    target = _OUT / program.name
    if not target.exists() or target.stat().st_mtime < program.stat().st_mtime:
        new = target.with_name(f"{target.name}.new")
        shutil.copy2(program, new)
        new.rename(target)
    print(f"  {target}")


def main() -> None:
    with lock.run("building the programs"), lock.held("building the programs"):
        _OUT.mkdir(parents=True, exist_ok=True)
        gather(guest_programs.built("hold_vm"))
        gather(guest_programs.built("mmu-notifier"))
        gather(kvm_guest.built())


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"programs: not built ({error.cmd[-1]})")
