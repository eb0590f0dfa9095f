# SPDX-License-Identifier: GPL-2.0
"""Runs the same thing with C and then with Rust in charge, or with the one that is built in."""

import core
import project


def on_each(vm, work, module=project.MODULE):
    """Returns what `work(core)` returned for "c" and for "rust", as a dictionary.

    A kernel that cannot be live-patched has one core only, and so has the dictionary. Who serves is
    looked up before and after, so that a result cannot be counted for the wrong core.
    """
    if not core.switchable(vm):
        only = core.built_in(vm)
        return {only: _serving(only, vm, work)}
    results = {"c": _serving("c", vm, work)}
    core.take_over(vm, module=module)
    results["rust"] = _serving("rust", vm, work)
    core.hand_back(vm)
    return results


def different(results):
    """The names whose verdicts are not the same on all cores; `results` as of on_each()."""
    verdicts = list(results.values())
    names = dict.fromkeys(name for one in verdicts for name in one)
    return [name for name in names if len({one.get(name) for one in verdicts}) > 1]


def compare(check, name, results):
    """Reports whether all verdicts are alike; where one core served, there is nothing to compare."""
    if len(results) < 2:
        return
    found = different(results)
    names = {name for one in results.values() for name in one}
    check.result(name, "-", "fail" if found else "pass", 0,
                 f"{len(names)} compared; different: {' '.join(found) or 'none'}")


def _serving(expected, vm, work):
    for_whom = core.serving(vm)
    assert for_whom == expected, f"{for_whom} serves, not {expected}"
    result = work(expected)
    for_whom = core.serving(vm)
    assert for_whom == expected, f"{for_whom} serves, not {expected} as when the work began"
    return result
