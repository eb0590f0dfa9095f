# SPDX-License-Identifier: GPL-2.0
"""Removing directories below build/ without reaching through a mount."""

import subprocess
from pathlib import Path

import project
from progress import Failed


def _mounts_below(directory: Path) -> list[str]:
    """Mount points at or below it, the innermost first."""
    top = str(directory.resolve())
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # The kernel writes blanks in paths as octal escapes.
        point = line.split()[4].encode().decode("unicode_escape")
        if point == top or point.startswith(top + "/"):
            found.append(point)
    return sorted(found, key=len, reverse=True)


def remove(directory: Path) -> None:
    """Removes a directory tree, the files of subordinate users too.

    The project itself mounts only in namespaces of its own. A mount that is
    seen here was made by somebody else, and is undone before anything is
    removed; if it cannot be, nothing is removed.
    """
    if not directory.exists():
        return
    for point in _mounts_below(directory):
        if subprocess.run(["umount", point]).returncode != 0:
            raise Failed(f"{point} is a mount point and cannot be unmounted: nothing was removed."
                         "\nUnmount it, then run the same command again.")
    subprocess.run([*project.private_mounts(), "rm", "-rf", "--one-file-system", "--", directory],
                   check=True)
