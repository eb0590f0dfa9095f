# SPDX-License-Identifier: GPL-2.0
"""C and Rust in turns, in one boot, on the same work."""

from collections.abc import Callable
from dataclasses import dataclass

import core


@dataclass(frozen=True)
class Work:
    """Something to measure: `measure(vm, who, table)`, with the module loaded with `arguments`."""

    measure: Callable
    arguments: str = ""
    # What no core takes part in is measured once in each round.
    any_core: bool = False


def take(vm, works, rounds, table, module, say):
    """So many rounds of all `works` ({name: Work}); a round is C first, then Rust."""
    for number in range(1, rounds + 1):
        def turn(who, chosen, number=number):
            for name, work in chosen.items():
                assert core.serving(vm) == who
                say(f"round {number} of {rounds}, {who}: {name}")
                work.measure(vm, who, table)
            assert core.serving(vm) == who

        turn("c", works)
        for arguments in sorted({work.arguments for work in works.values() if not work.any_core}):
            core.take_over(vm, arguments, module=module)
            turn("rust", {name: work for name, work in works.items()
                          if work.arguments == arguments and not work.any_core})
            core.hand_back(vm)
