# SPDX-License-Identifier: GPL-2.0
"""checkpatch --strict over the series."""

import subprocess

import patches
import project
import series

# Documentation/builtin.rst argues each.
_ARGUED = "FILE_PATH_CHANGES,EXPORT_SYMBOL"
# Of the definitions of events alone, which are laid out as all of the kernel's are.
_ARGUED_OF_EVENTS = f"{_ARGUED},PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE"


def reports(tree):
    """Yields (patch, what checkpatch reports on it)."""
    for patch in sorted((project.TOP / "patches").glob("*.patch")):
        is_events = f"] {series.EVENTS_SUBJECT}\n" in patch.read_text()
        ignored = _ARGUED_OF_EVENTS if is_events else _ARGUED
        done = project.inside(
            ["perl", "scripts/checkpatch.pl", "--strict", "--terse", "--ignore", ignored, patch],
            cwd=tree, binds=[project.TOP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        reports = done.stdout.splitlines()
        if done.returncode and not reports:
            reports = [f"checkpatch ended with status {done.returncode}"]
        yield patch.stem, reports if done.returncode else []
