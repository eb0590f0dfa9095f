# SPDX-License-Identifier: GPL-2.0
"""What is done wrong on purpose is heard of: a watcher that sleeps would let the core pass."""

import re
import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_TESTING.parent / "build"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
import watchers  # noqa: E402

TITLE = "what is done wrong on purpose is heard of"

_SOURCES = _TESTING / "debug/provoke"
_IN_GUEST = "/lib/modules/provoke.ko"
_WHAT = "/sys/module/provoke/parameters/what"
# What is provoked on each kernel, in this order, and what the kernel must say to it. The first
# thing that lockdep finds is the last, and KASAN's word switches it off as well.
_HEARD = {
    "debug": {
        "leak": [r"kmemleak: \d+ new suspected memory leaks"],
        "invert_locks": [r"WARNING: possible circular locking dependency detected"],
        "sleep_in_atomic": [r"BUG: sleeping function called from invalid context",
                            r"INFO: lockdep is turned off"],
        "free_active_timer": [r"ODEBUG: free active .* object type: timer_list",
                              r"WARNING: \S+ at debug_check_no_obj_freed"],
        "use_after_free": [r"BUG: KASAN: slab-use-after-free in mmn_provoke_rust_read"],
    },
    "kcsan": {
        "sleep_in_atomic": [r"BUG: sleeping function called from invalid context"],
        "race_in_c": [r"BUG: KCSAN: data-race in mmn_provoke_c_add(\+0x\S+)? \[[^/]*"
                      r"(/ mmn_provoke_c_add \[.*)?$"],
        "race_in_rust": [r"BUG: KCSAN: data-race in mmn_provoke_rust_add(\+0x\S+)? \["],
        "race_half_marked": [r"BUG: KCSAN: data-race in mmn_provoke_(c_add \[.* / mmn_provoke_"
                             r"rust_add_marked \[|rust_add_marked \[.* / mmn_provoke_c_add \[)"],
    },
}
# What a driver does wrong, as lockdep knows it from the core's own maps; each in a boot of its own,
# since lockdep says one thing only. The map by core, as whose lock the driver is told of.
_HEARD_OF_DRIVERS = {
    "debug": {
        "allocate_in_callback": {"c": "mmu_notifier_invalidate_range_start",
                                 "rust": "mmu_notifier_invalidate_range_start"},
        "unregister_with_callbacks_lock": {"c": "srcu", "rust": "mmu_notifier_domain"},
    },
    "kcsan": {},
}
_CIRCLE = r"WARNING: possible (circular locking dependency|recursive locking) detected"
_NOT_HEARD = {"debug": (), "kcsan": ("race_marked_in_rust",)}


def run(check):
    kernel = project.kernel()
    module = _built(kernel)
    heard = _HEARD[kernel.name]
    allowed = [pattern for patterns in heard.values() for pattern in patterns]
    with check.guest("provoked", allow=allowed, watched=False, modules=[module]) as vm:
        for what in (*_NOT_HEARD[kernel.name], *heard):
            vm.run(f"echo {what} > {_WHAT}", 300, check=True)
            if what in _ASKED:
                _ASKED[what](check, vm)
    for what, named in _HEARD_OF_DRIVERS[kernel.name].items():
        _driver(check, module, what, named[kernel.core])


def _driver(check, module, what, named):
    with check.guest(what, allow=[_CIRCLE], watched=False, modules=[module]) as vm:
        with check.test(f"{what}.names_the_map", "-"):
            vm.run(f"echo {what} > {_WHAT}", 300, check=True)
            assert re.search(rf"is trying to acquire lock:\n.*\({named}\)\{{", vm.kernel_log()), \
                f"lockdep has not named {named}"


def _leaked(check, vm):
    with check.test("a_leak_is_told_of", "-"):
        found = watchers.last_words(vm)
        assert "[provoke]" in found["leaks"], f"not told of: {found['leaks'] or 'nothing'}"
        assert not found["lockdep"], found["lockdep"]


def _inverted(check, vm):
    with check.test("lockdep_is_seen_to_be_off", "-"):
        assert watchers.locks(vm), "lockdep is said to be on"


def _raced(check, vm):
    with check.test("both_sides_in_rust_are_watched", "-"):
        # Of a race that it has seen one side of, KCSAN tells as well.
        assert re.search(r"data-race in mmn_provoke_rust_add \[.* / mmn_provoke_rust_add \[",
                         vm.kernel_log()), "no report names both"


# Those who have a last word are asked for it, and what a line alone does not tell is looked up.
_ASKED = {"leak": _leaked, "invert_locks": _inverted, "race_in_rust": _raced}


def _built(kernel):
    out = kernel.directory / "provoke"
    with lock.held("building what provokes"):
        kbuild.sync(out, {path.name: path.read_text() for path in _SOURCES.iterdir()})
        log = out / "build.log"
        log.write_text("")
        kbuild.make(kbuild.target(), out, log)
    return out / "provoke.ko"
