# SPDX-License-Identifier: GPL-2.0
"""Takeovers and hand-backs in a loop, with loads that must go on under either core."""

import time
from dataclasses import dataclass

import core

# A hand-back waits for two grace periods of RCU Tasks for each function, one after the other.
CMDLINE = "rcupdate.rcu_expedited=1"

_POLL = 0.1
# Only to end what hangs.
_STALLED = 300


class NoProgress(Exception):
    """A load has ended or stands still."""


@dataclass(frozen=True)
class Round:
    """How long a takeover and a hand-back took, and by how much the loads then went on."""

    taking: float
    in_rust: str
    giving: float
    in_c: str
    in_all: str

    def __str__(self):
        return (f"taken over in {self.taking:.2f} s, then in Rust {self.in_rust}; handed back in "
                f"{self.giving:.2f} s, then in C {self.in_c}; in all {self.in_all}")


def rounds(vm, loads, count):
    """Does `count` takeovers and hand-backs, and yields each Round that went well.

    A brisk load must go on under either core in each round, another one somewhen in the round.
    """
    brisk = [load for load in loads if load.brisk]
    for _ in range(count):
        before = _counters(loads)
        taking = core.take_over(vm)
        names = core.patched_functions(vm)
        assert len(set(names)) == core.FUNCTIONS, f"livepatch redirects {names}"
        in_rust = advance(brisk)
        giving = core.hand_back(vm)
        patches = vm.run("ls /sys/kernel/livepatch", check=True).output.split()
        assert not patches, f"after the hand-back livepatch still has {patches}"
        in_c = advance(brisk)
        yield Round(taking, in_rust, giving, in_c, advance(loads, before))


def advance(loads, before=None):
    """Waits until every counter of every load has grown; returns by how much, as text."""
    before = before or _counters(loads)
    return " ".join(_advance(load, then) for load, then in zip(loads, before))


def _counters(loads):
    return [load.counters() for load in loads]


def _advance(load, before):
    deadline = time.monotonic() + _STALLED
    while True:
        now = load.counters()
        if now and all(now[name] > before.get(name, 0) for name in now):
            return " ".join(f"{name}+{now[name] - before.get(name, 0)}" for name in now)
        if not load.running():
            raise NoProgress(f"{load.name} has ended")
        if time.monotonic() > deadline:
            raise NoProgress(f"{load.name} stands still: {before}, {_STALLED} s later {now}")
        time.sleep(_POLL)
