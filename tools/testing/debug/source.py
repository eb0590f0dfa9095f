# SPDX-License-Identifier: GPL-2.0
"""The source of the debug kernels: the stock kernel's with the patch series, and KCSAN for Rust."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build"))

import patches  # noqa: E402
import project  # noqa: E402
from marks import Mark  # noqa: E402
from progress import Step  # noqa: E402

DIRECTORY = project.BUILD / "debug" / "source"
_KCSAN = Path(__file__).resolve().parent / "rust-kcsan.patch"


def ensure():
    """Makes the tree up to date; returns the mark of its state.

    A file that stays as it was keeps its time stamp, so that little is built anew.
    """
    stock = project.stock_kernel()
    series = sorted((project.TOP / "patches").glob("*.patch"))
    mark = Mark(DIRECTORY.parent / "sourced", [(stock.directory / "unpacked").read_text(),
                                               *(path.read_text() for path in (*series, _KCSAN))])
    if not mark.holds():
        mark.clear()
        tree = patches.patched(stock)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        with Step("debug kernels' source", project.LOGS / "debug-source.log") as step:
            step.run(project.inside_popen,
                     ["rsync", "--recursive", "--links", "--perms", "--checksum", "--delete",
                      f"{tree}/", f"{DIRECTORY}/"])
            step.run(project.inside_popen, ["git", "apply", _KCSAN], cwd=DIRECTORY,
                     env={"GIT_CEILING_DIRECTORIES": str(DIRECTORY.parent)})
        mark.set()
    return mark
