#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make clean, make distclean: clean.py [--all]."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import lock
import project
from progress import Failed, say
from remove import remove

# What a set-up makes; everything else under build/ comes from the sources.
_SETUP = {"toolroot", "kernel", "debian", "logs"}


def clean(everything: bool) -> None:
    if not project.BUILD.exists():
        return
    with lock.run("clean"), lock.held("clean"):
        for path in sorted(project.BUILD.iterdir()):
            if path.name in lock.NAMES or (path.name in _SETUP and not everything):
                continue
            say(f"  removing {path.relative_to(project.TOP)} ...")
            remove(path)
        if everything:
            remove(project.BUILD)


if __name__ == "__main__":
    try:
        clean("--all" in sys.argv[1:])
    except Failed as failure:
        sys.exit(f"clean: {failure}")
