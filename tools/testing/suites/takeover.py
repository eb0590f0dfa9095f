# SPDX-License-Identifier: GPL-2.0
"""Rust takes the notifiers over from C and gives them back, seen by the kernel's own entries.

core.take_over() compares the functions that livepatch redirects with the core's, name by name.
"""

import core
import project

TITLE = "takeover and hand-back of an idle machine"
ORDER = 10

_ROUNDS = 3


def run(check):
    with check.guest("idle", files={core.IN_GUEST: project.MODULE}) as vm:
        for number in range(1, _ROUNDS + 1):
            with check.test(f"take_over_{number}", "rust"):
                assert core.serving(vm) == "c"
                core.take_over(vm)
            with check.test(f"hand_back_{number}", "c"):
                core.hand_back(vm)
                assert core.serving(vm) == "c"
                assert core.patched_functions(vm) == []
                check.count_takeovers(1)
