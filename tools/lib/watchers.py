# SPDX-License-Identifier: GPL-2.0
"""Asks what watches in a guest's kernel for its last word: lockdep, and the leak detector.

The stock kernel has neither, and is not asked.
"""

import re

_LEAKS = "/sys/kernel/debug/kmemleak"
_LOCKS = "/proc/lockdep_stats"
# What is younger the leak detector takes for something whose pointer is still in a register.
_AGE = 6


def last_words(vm):
    """Returns {what watches: what it has found, "" for nothing} of those that the kernel has."""
    return {name: ask(vm) for name, (path, ask) in _WATCHERS.items()
            if vm.run(f"test -e {path}").status == 0}


def _leaks(vm):
    vm.settle()
    # The first scan after a change only notes what the object holds; two are needed to be sure.
    vm.run(f"sleep {_AGE}; echo scan > {_LEAKS} && echo scan > {_LEAKS}", 300, check=True)
    return vm.read(_LEAKS)


def locks(vm):
    """Lockdep stops looking with the first thing that it finds."""
    stats = vm.read(_LOCKS)
    return "" if re.search(r"debug_locks: +1$", stats, re.MULTILINE) else "lockdep is off"


_WATCHERS = {"leaks": (_LEAKS, _leaks), "lockdep": (_LOCKS, locks)}
