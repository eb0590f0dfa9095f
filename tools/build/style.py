#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make fmt-check` and `make lint`: rustfmt on all Rust sources, clippy on all of the kernel's."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import module  # noqa: E402
import project  # noqa: E402
import samples  # noqa: E402

_LINT = project.BUILD / "lint"


def sources():
    """Every Rust file of the checkout; build/ holds whole kernels and is not entered."""
    not_ours = (project.BUILD, TOP / ".git")
    for folder, below, files in os.walk(TOP):
        below[:] = [name for name in below if Path(folder, name) not in not_ours]
        yield from (Path(folder, name) for name in files if name.endswith(".rs"))


def fmt():
    """Returns what rustfmt would change; nothing if it is content."""
    done = project.inside(["rustfmt", "--check", "--color=never", *sorted(sources())], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout or ("rustfmt failed" if done.returncode else "")


def lint():
    """Returns what clippy and the kernel's build have to say; nothing if they are content."""
    try:
        kernel = kbuild.target()
        module.build(kernel, _LINT, clippy=True)
        samples.build(kernel, _LINT / "samples", clippy=True)
    except kbuild.BuildFailed as error:
        return str(error)
    return ""


def main():
    checks = {"fmt": fmt, "lint": lint}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(checks)}")
    try:
        with lock.run(f"style.py {sys.argv[1]}"):
            said = checks[sys.argv[1]]()
    except project.SetupMissing as error:
        sys.exit(str(error))
    if said:
        sys.exit(f"{said}\n{sys.argv[1]}: not clean")
    print(f"  {sys.argv[1]}: clean")


if __name__ == "__main__":
    main()
