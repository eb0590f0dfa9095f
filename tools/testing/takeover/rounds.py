# SPDX-License-Identifier: GPL-2.0
"""Takeovers and hand-backs in a loop, with loads that must go on under either core."""

import time

import core

_POLL = 0.1
# Only to end what hangs.
_STALLED = 300


class NoProgress(Exception):
    """A load has ended or stands still."""


def run(vm, loads, count, log, stopped):
    """Does `count` rounds; returns the seconds of each takeover and of each hand-back."""
    taking, giving = [], []
    expected = None
    for number in range(1, count + 1):
        if stopped.is_set():
            break
        taking.append(core.take_over(vm))
        names = core.patched_functions(vm)
        expected = expected or names
        assert len(set(names)) == core.FUNCTIONS and names == expected, f"livepatch redirects {names}"
        under_rust = advance(loads)
        giving.append(core.hand_back(vm))
        names = vm.run("ls /sys/kernel/livepatch", check=True).output.split()
        assert not names, f"after the hand-back livepatch still has {names}"
        under_c = advance(loads)
        log.write(f"{number}: taken over in {taking[-1]:.2f} s, then in Rust {under_rust}; "
                  f"handed back in {giving[-1]:.2f} s, then in C {under_c}\n")
        log.flush()
    return taking, giving


def advance(loads):
    """Waits until every counter of every load has grown; returns by how much, as text."""
    before = [load.counters() for load in loads]
    return " ".join(_advance(load, then) for load, then in zip(loads, before))


def _advance(load, before):
    deadline = time.monotonic() + _STALLED
    while True:
        now = load.counters()
        if now and all(now[name] > before.get(name, 0) for name in now):
            return " ".join(f"{name}+{now[name] - before.get(name, 0)}" for name in now)
        if not load.running():
            raise NoProgress(f"{load.name} has ended: {load.end()}")
        if time.monotonic() > deadline:
            raise NoProgress(f"{load.name} stands still: {before}, {_STALLED} s later {now}")
        time.sleep(_POLL)
