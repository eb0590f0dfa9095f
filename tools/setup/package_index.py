# SPDX-License-Identifier: GPL-2.0
"""The toolchain root's package index: there only while a set-up needs it."""

from functools import cache

import project
from progress import Step

_FILES = "/var/lib/apt/lists/* /var/cache/apt/*.bin"


@cache
def fetch() -> None:
    """Fetches the index, once in a run."""
    with Step("package index", project.LOGS / "index.log") as step:
        step.run(project.inside_popen, ["apt-get", "update", "--error-on=any"],
                 hint="Is there a network? Then run the same command again.")


def drop() -> None:
    """Gives back the 200 MB that an index takes."""
    project.inside(["sh", "-c", f"rm -rf {_FILES}"], check=True)
