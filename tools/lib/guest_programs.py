# SPDX-License-Identifier: GPL-2.0
"""Builds the static programs in Rust: those that every guest carries, and the command."""

import fcntl

import project

# Each from the root file of its crate; what lies beside that may be part of it.
_ROOTS = {"agent": "tools/guest/agent.rs", "hold_vm": "tools/guest/hold_vm.rs",
          "mmu-notifier": "tools/cli/main.rs"}
_FLAGS = ("--edition=2021", "-O", "-Ctarget-feature=+crt-static", "-Cstrip=symbols", "-Dwarnings")


def built(name):
    """Returns the path of a program, built anew if a source is newer than it."""
    root = project.TOP / _ROOTS[name]
    directory = project.BUILD / "guest"
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    newest = max(source.stat().st_mtime for source in root.parent.glob("*.rs"))
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or program.stat().st_mtime < newest:
            # By another name at first: what a killed build leaves must not look built.
            new = directory / f"{name}.new"
            project.inside(["rustc", *_FLAGS, "-o", new, root], check=True)
            new.rename(program)
    return program
