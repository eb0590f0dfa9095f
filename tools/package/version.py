# SPDX-License-Identifier: GPL-2.0
"""The version of the packages: a number that is raised here, and which commit they are of."""

import subprocess

import project

_NUMBER = "0.1"


def _git(*arguments):
    return subprocess.run(["git", "-C", project.TOP, *arguments], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()


def version():
    """A Debian version; a later commit of the same branch has a higher one."""
    try:
        commit, count = _git("rev-parse", "--short", "HEAD"), _git("rev-list", "--count", "HEAD")
        changed = ".changed" if _git("status", "--porcelain") else ""
    except (FileNotFoundError, subprocess.CalledProcessError):
        return _NUMBER  # not a clone
    return f"{_NUMBER}+{count}.g{commit}{changed}"


def date():
    """When what is packaged was made, as seconds since 1970: equal sources give equal packages."""
    try:
        return int(_git("log", "-1", "--format=%ct"))
    except (FileNotFoundError, subprocess.CalledProcessError):
        return int((project.TOP / "README.md").stat().st_mtime)
