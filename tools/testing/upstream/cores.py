# SPDX-License-Identifier: GPL-2.0
"""Runs the same thing with C and then with Rust in charge."""

import core


def on_each(vm, work):
    """Returns what `work(core)` returned for "c" and for "rust", as a dictionary.

    Who serves is looked up before and after, so that a result cannot be counted for the wrong core.
    """
    results = {"c": _serving("c", vm, work)}
    core.take_over(vm)
    results["rust"] = _serving("rust", vm, work)
    core.hand_back(vm)
    return results


def _serving(expected, vm, work):
    for_whom = core.serving(vm)
    assert for_whom == expected, f"{for_whom} serves, not {expected}"
    result = work(expected)
    for_whom = core.serving(vm)
    assert for_whom == expected, f"{for_whom} serves, not {expected} as when the work began"
    return result
