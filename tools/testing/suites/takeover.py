# SPDX-License-Identifier: GPL-2.0
"""Rust takes the notifiers over from C and gives them back, seen by the kernel's own entries.

core.take_over() compares the functions that livepatch redirects with the core's, name by name.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "takeover"))

import core  # noqa: E402
import project  # noqa: E402
from text import Text, is_entry  # noqa: E402

TITLE = "takeover and hand-back of an idle machine"
ORDER = 10

_ROUNDS = 3
# Where ftrace's own trampolines call who is registered with it.
_FTRACE = {"ftrace_call", "ftrace_regs_call"}


def run(check):
    with check.guest("idle", files={core.IN_GUEST: project.MODULE}, parallel=False) as vm:
        for number in range(1, _ROUNDS + 1):
            with check.test(f"take_over_{number}", "rust"):
                assert core.serving(vm) == "c"
                core.take_over(vm)
            with check.test(f"hand_back_{number}", "c"):
                core.hand_back(vm)
                assert core.serving(vm) == "c"
                assert core.patched_functions(vm) == []
                check.count_takeovers(1)
        _text_stays(check, vm)


def _text_stays(check, vm):
    """All code but the entries of the 18 functions, and so every way past them, stays as it is."""
    before = Text(vm, "before")
    core.take_over(vm)
    with check.test("no_other_code_changes", "rust"):
        changes = Text(vm, "serving").changes_since(before)
        check.note("code that a takeover changes: " + ", ".join(
            f"{name} {min(where)}..{max(where)}" for name, where in sorted(changes.items())))
        redirected = {name for name, where in changes.items()
                      if name in core.CORE_FUNCTIONS and is_entry(where)}
        assert redirected == set(core.CORE_FUNCTIONS), f"redirected: {sorted(redirected)}"
        others = changes.keys() - redirected - _FTRACE
        assert not others, f"other code was changed: {sorted(others)}"
    core.hand_back(vm)
    with check.test("the_code_is_as_it_was", "c"):
        changes = Text(vm, "after").changes_since(before)
        assert not changes, f"not as it was: {sorted(changes)}"
    check.count_takeovers(1)
