# SPDX-License-Identifier: GPL-2.0
"""Builds the static programs that every guest carries."""

import fcntl

import project

_SOURCES = project.TOP / "tools/guest"
_ROOTS = ("agent", "hold_vm")
_FLAGS = ("--edition=2021", "-O", "-Ctarget-feature=+crt-static", "-Cstrip=symbols", "-Dwarnings")


def built(name):
    """Returns the path of a guest program, built anew if a source is newer than it."""
    assert name in _ROOTS
    directory = project.BUILD / "guest"
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    newest = max(source.stat().st_mtime for source in _SOURCES.glob("*.rs"))
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or program.stat().st_mtime < newest:
            # By another name at first: what a killed build leaves must not look built.
            new = directory / f"{name}.new"
            project.inside(["rustc", *_FLAGS, "-o", new, _SOURCES / f"{name}.rs"], check=True)
            new.rename(program)
    return program
