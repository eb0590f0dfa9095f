#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Judges litmus tests by the kernel's own memory model, where there is no herd7 to do it.

    checker.py MODEL TEST...     MODEL is tools/memory-model of a kernel source

Every candidate execution of the test is enumerated: a way through each thread, and a write for
each read. The model's files then say which of them can happen.
"""

import itertools
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import c_parser
import cat_parser
import litmus
import relation
from cat_evaluator import Model
from thread import Address, Event, traces

_HERE = Path(__file__).resolve().parent


@dataclass
class Verdict:
    name: str
    observation: str  # Always, Sometimes, Never; DEADLOCK if no execution comes to an end
    candidates: int
    executions: int
    states: Counter
    flags: set


class Checker:
    """The memory model of a kernel source."""

    def __init__(self, directory):
        self._directory = Path(directory)
        config = dict(re.findall(r"^(\w+) (\S+)$", self._read("linux-kernel.cfg"), re.MULTILINE))
        self.macros = c_parser.parse_macros(self._read(config["macros"]))
        statements = self._load(config["bell"]) + self._load(config["model"])
        self._model = Model(statements, {config.get("variant")}, self._load)

    def _read(self, name):
        path = self._directory / name
        return (path if path.exists() else _HERE / name).read_text()

    def _load(self, name):
        return cat_parser.parse(self._read(name))

    def judge(self, text):
        """The verdict on a test, given as text."""
        test = litmus.parse(text, self.macros)
        states, flags, candidates = Counter(), set(), 0
        for candidate in _candidates(test):
            candidates += 1
            for lookup, raised in self._model.executions(candidate.size, candidate.environment):
                state = candidate.final_state(lookup("co"))
                if litmus.holds(test.filter, dict(state)):
                    states[state] += 1
                    flags |= raised
        met = {litmus.holds(test.condition, dict(state)) for state in states}
        observation = {(): "DEADLOCK", (True,): "Always", (False,): "Never"}.get(
            tuple(met), "Sometimes")
        return Verdict(test.name, observation, candidates, states.total(), states, flags)


def _candidates(test):
    names = sorted({name for parameters, _ in test.threads for name in parameters}
                   | set(test.initial)
                   | {value.name for value in test.initial.values() if isinstance(value, Address)})
    initial = {name: test.initial.get(name, 0) for name in names}
    for combination in itertools.product(*_all_traces(test, initial)):
        skeleton = _Skeleton(initial, combination)
        yield from skeleton.candidates()


def _all_traces(test, initial):
    """The traces of each thread, by the values that can be in each place.

    These are found by running the threads on what is known until nothing new is written, or as
    often as a value can be handed on from write to write.
    """
    domains = {name: {value} for name, value in initial.items()}
    found, rounds = [], 0
    while True:
        ordered = {name: sorted(values, key=repr) for name, values in domains.items()}
        found = [list(traces(body, parameters, ordered)) for parameters, body in test.threads]
        new = {name: set(values) for name, values in domains.items()}
        for trace in itertools.chain(*found):
            for event in trace.events:
                if event.kind == "W":
                    new[event.place].add(event.value)
        longest = sum(max(sum(event.kind == "W" for event in trace.events) for trace in thread)
                      for thread in found)
        if new == domains or rounds > longest:
            return found
        domains, rounds = new, rounds + 1


class _Skeleton:
    """A way through each thread, and initial writes."""

    def __init__(self, initial, combination):
        self._events = [Event("IW", place=name, value=value) for name, value in initial.items()]
        # Each initial write is alone in a thread of its own.
        self._thread_of = [-1 - n for n in range(len(self._events))]
        self._pairs = {name: set() for name in ("po", "addr", "data", "ctrl", "rmw")}
        self._registers = []
        for number, trace in enumerate(combination):
            base = len(self._events)
            self._events += trace.events
            self._thread_of += [number] * len(trace.events)
            end = len(self._events)
            self._pairs["po"] |= {(a, b) for a in range(base, end) for b in range(a + 1, end)}
            for name in ("addr", "data", "ctrl", "rmw"):
                self._pairs[name] |= {(base + a, base + b) for a, b in getattr(trace, name)}
            self._registers += [(f"{number}:{name}", value)
                                for name, value in trace.registers.items()]
        self.size = len(self._events)

    def _sources(self, read):
        """The writes that a read may return, but for those that coherence rules out at sight."""
        me, thread = self._events[read], self._thread_of[read]
        own_before = any(event.kind == "W" and event.place == me.place
                         and self._thread_of[n] == thread
                         for n, event in enumerate(self._events[:read]))
        for n, event in enumerate(self._events):
            if event.kind not in ("W", "IW") or (event.place, event.value) != (me.place, me.value):
                continue
            if (event.kind == "IW" and own_before) or (self._thread_of[n] == thread and n > read):
                continue
            yield n

    def candidates(self):
        reads = [n for n, event in enumerate(self._events) if event.kind == "R"]
        sources = [list(self._sources(read)) for read in reads]
        if not all(sources):
            return
        base = self._environment()
        different = self._different_values
        for chosen in itertools.product(*sources):
            rf = relation.from_pairs(self.size, zip(chosen, reads))
            yield Candidate(self.size, base | {"rf": rf, "different-values": different},
                            self._registers, self._events)

    def _different_values(self, pairs):
        if pairs is None:
            return None
        return relation.from_pairs(self.size, (
            (a, b) for a, b in relation.pairs(pairs)
            if self._events[a].value != self._events[b].value))

    def _set(self, chosen):
        return sum(1 << n for n, event in enumerate(self._events) if chosen(event))

    def _environment(self):
        env = {name: relation.from_pairs(self.size, pairs) for name, pairs in self._pairs.items()}
        env["int"] = self._alike(self._thread_of)
        env["loc"] = self._alike([event.place or None for event in self._events])
        for kind in ("R", "F", "IW", "SRCU", "LKR", "LKW", "UL", "LF", "RL", "RU"):
            env[kind] = self._set(lambda event, kind=kind: event.kind == kind)
        env["W"] = self._set(lambda event: event.kind in ("W", "IW"))
        env["M"] = env["R"] | env["W"]
        env["FW"] = 0  # conditions are evaluated here, not by events
        env["RMW"] = self._set(lambda event: event.is_rmw)
        for tag in {event.tag for event in self._events if event.tag}:
            env[tag[0].upper() + tag[1:]] = self._set(lambda event, tag=tag: event.tag == tag)
        env["co0"] = tuple(a & b & ~(1 << n) for n, (a, b) in enumerate(zip(
            relation.product(self.size, env["IW"], env["W"]), env["loc"])))
        return env

    def _alike(self, keys):
        return tuple(sum(1 << b for b, other in enumerate(keys) if key is not None and key == other)
                     for key in keys)


@dataclass
class Candidate:
    """A skeleton with a write for each read."""

    size: int
    environment: dict
    registers: list
    events: list

    def final_state(self, co):
        memory = [(event.place, event.value) for n, event in enumerate(self.events)
                  if event.kind in ("W", "IW") and not co[n]]
        return tuple(self.registers + memory)


def main():
    directory, *tests = sys.argv[1:]
    checker = Checker(directory)
    wrong = 0
    for path in tests:
        text = Path(path).read_text()
        verdict = checker.judge(text)
        expected = litmus.parse(text, checker.macros).expected
        wrong += verdict.observation.upper() != expected.upper()
        flags = f" flags: {' '.join(sorted(verdict.flags))}" if verdict.flags else ""
        print(f"{verdict.name}: {verdict.observation} (expected {expected or 'nothing'}), "
              f"{verdict.executions} executions of {verdict.candidates} candidates{flags}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
