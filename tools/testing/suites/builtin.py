# SPDX-License-Identifier: GPL-2.0
"""The patch series: as the sources make it, in the kernel's style, and built with Debian's gcc."""

import sys
from pathlib import Path

_TOOLS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TOOLS / "build"), str(_TOOLS / "testing/builtin")]

import checkpatch  # noqa: E402
import objects  # noqa: E402
import patches  # noqa: E402
import project  # noqa: E402

TITLE = "the patch series that builds the core into a kernel"
ORDER = 12
# The crates that Rust code needs are built, the first time.
TIMEOUT = 1800


def run(check):
    with check.test("patches_are_what_the_sources_make", "-"):
        stale = patches.difference()
        assert not stale, f"make patches, for {' '.join(stale)}"
    tree = None
    with check.test("applies_with_git_am", "-"):
        tree = patches.patched(project.kernel())
    if tree is None:
        return
    for patch, reports in checkpatch.reports(tree):
        check.result(f"checkpatch.{patch}", "-", "fail" if reports else "pass", 0,
                     "; ".join(reports)[:200])
    with check.test("without_the_option_no_trace", "-"):
        objects.nothing_without_option(tree)
    core = None
    with check.test("builds_with_gcc_in_silence", "-"):
        core = objects.build(tree)
    if core is None:
        return
    with check.test("defines_and_exports_what_c_does", "-"):
        objects.same_interface(core)
