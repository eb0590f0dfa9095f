# SPDX-License-Identifier: GPL-2.0
"""What the core told, event by event, as the programs of this directory print it.

A record is a Program: steps in order, each with what the program saw itself (its lines: what system
calls returned, sequences, states) and what the core told meanwhile (its events).
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import project

_UAPI = project.TOP / "tools/testing/selftests/mmu_notifier/driver/mmu_notifier_test_uapi.h"
_BASE, _WINDOW = 0x100000000000, 64 << 20
_PAGE = 4096
_EVERYTHING = 1 << 63
_EVENTS = ("unmap", "clear", "protect", "protect_page", "soft_dirty", "release", "migrate",
           "exclusive")
_OF_RANGES = ("range_start", "range_end", "invalidate", "invalidate_start", "invalidate_finish")
_OF_ALL = ("release", "alloc", "free")


def _hooks():
    body = re.search(r"enum mnt_hook \{(.*?)\};", _UAPI.read_text(), re.S)[1]
    return [name.lower() for name in re.findall(r"\bMNT_(\w+),", body)][:-1]


HOOKS = _hooks()
# The last step of a random program: its process exits.
END = "end"
# The one step of a test of the corpus, in which its process exits as well.
WHOLE = "all"


class RecordError(Exception):
    """The text is no record, or not all of one."""


class Event(NamedTuple):
    """One callback, or the return of a command of the test driver."""

    session: int
    slot: int
    hook: str
    phase: int
    event: int
    blockable: int
    owned: int
    ret: int
    object: int
    thread: int
    seq: int
    start: int
    end: int

    @property
    def subscription(self):
        return self.session, self.slot

    def __str__(self):
        who = f"{'victim ' if self.session else ''}{self.slot}"
        words = [f"{who}.{self.hook}{' leaves its gate' if self.phase else ''}"]
        if self.hook == "returned":
            words.append(f"of command {self.event}")
        elif self.hook in _OF_RANGES:
            words += [_span(self.start, self.end),
                      _EVENTS[self.event] if self.event < len(_EVENTS) else f"{self.event}",
                      "" if self.blockable else "non-blockable", "owned" if self.owned else ""]
        elif self.hook not in _OF_ALL:
            words.append(_span(self.start, self.end))
        words += [f"seq {self.seq}" if self.seq else "", f"= {self.ret}",
                  f"object {self.object}" if self.object else "", f"thread {self.thread}"]
        return " ".join(word for word in words if word)


def _span(start, end):
    return "[everything)" if end - start >= _EVERYTHING else f"[{_page(start)}, {_page(end)})"


def _page(address):
    if _BASE <= address < _BASE + _WINDOW and not address % _PAGE:
        return f"+{(address - _BASE) // _PAGE:#x}"
    return f"{address:#x}"


@dataclass
class Step:
    """What came between two steps of a program."""

    name: str
    lines: list = field(default_factory=list)
    events: list = field(default_factory=list)


@dataclass
class Program:
    """The record of one program."""

    name: str
    steps: list = field(default_factory=list)

    @property
    def events(self):
        return [event for step in self.steps for event in step.events]


def programs(text):
    """The records of random programs."""
    found = []
    session = 0
    finished = False
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "program":
            found.append(Program(rest))
        elif word == "done":
            finished = True
        elif not found:
            raise RecordError(f"not of a program: {line}")
        elif word == "step":
            found[-1].steps.append(Step(rest))
        elif word == "session":
            session = int(rest)
        elif word == "!":
            found[-1].steps[-1].events.append(_event(rest, session))
        elif word == "lost":
            raise RecordError(f"program {found[-1].name} lost {rest} events")
        else:
            found[-1].steps[-1].lines.append(line)
    if not finished:
        raise RecordError("the last program did not come to its end")
    return [_with_threads_numbered(program) for program in found]


def recorded(name, text):
    """The record of a program that `recorded` has run, without what the program printed."""
    _, found, text = text.partition("\nrecord\n")
    if not found:
        raise RecordError(f"{name}: no record")
    if lost := re.search(r"^lost (\d+)$", text, re.M):
        raise RecordError(f"{name} lost {lost[1]} events")
    events = [_event(line[2:], 0) for line in text.splitlines() if line.startswith("! ")]
    return _with_threads_numbered(Program(name, [Step(WHOLE, [], events)]))


def _event(text, session):
    words = text.split()
    slot, hook, *numbers = map(int, words[:10])
    start, end = (int(word, 16) for word in words[10:12])
    return Event(session, slot, HOOKS[hook], *numbers, start, end)


def _with_threads_numbered(program):
    """Threads in the order of their birth, where it is settled which of them it is.

    Who frees is the core's own matter; and of a process's threads any may be the last to exit, and
    give all of its memory back.
    """
    settled = [event for step in program.steps for event in step.events if _is_settled(step, event)]
    number = {thread: index for index, thread in
              enumerate(sorted({event.thread for event in settled}))}
    for step in program.steps:
        step.events = [event._replace(thread=number[event.thread] if _is_settled(step, event)
                                      else -1) for event in step.events]
    return program


def _is_settled(step, event):
    exits = event.hook == "release" or (event.hook in _OF_RANGES and
                                        event.end - event.start >= _EVERYTHING and
                                        _EVENTS[event.event] in ("unmap", "release"))
    return event.hook != "free" and step.name != END and not (step.name == WHOLE and exits)
