# SPDX-License-Identifier: GPL-2.0
"""Two guests that do the same side by side, one with each core.

A guest of each is fresh, so that the kernel around the core has the same past in both.
"""

from concurrent.futures import ThreadPoolExecutor

import core
import recording


def take_sides(guests):
    """Prepares the guests {"c": vm, "rust": vm} of a kernel that the module is for."""
    def side(which, vm):
        recording.prepare(vm)
        if which == "rust":
            core.take_over(vm)

    on_both(guests, side)


def on_both(guests, work):
    """Returns {core: work(core, vm)}; both at once."""
    with ThreadPoolExecutor(len(guests)) as threads:
        running = {which: threads.submit(work, which, vm) for which, vm in guests.items()}
        return {which: job.result() for which, job in running.items()}


def check_sides(guests):
    """Raises unless each core still serves where it should."""
    for which, vm in guests.items():
        serving = core.serving(vm)
        assert serving == which, f"{serving} serves, not {which}"
