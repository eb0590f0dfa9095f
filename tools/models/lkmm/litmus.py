# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Reads a litmus test in the kernel's C format."""

import re
from dataclasses import dataclass

import c_parser
from thread import Address


class LitmusError(Exception):
    """The text is not a litmus test that can be read here."""


@dataclass
class Test:
    name: str
    expected: str  # what its first comment says: Always, Sometimes, Never, or DEADLOCK
    initial: dict
    threads: list  # (names of its parameters, statements)
    condition: tuple
    filter: tuple


# The space tells it from the `(*x` of C.
_COMMENT = re.compile(r"\(\*\s.*?\*\)", re.DOTALL)
_THREAD = re.compile(r"P(\d+)\s*\(([^)]*)\)\s*(?://[^\n]*)?\s*(?=\{)")
_LAST = re.compile(r"^(?:locations|filter|exists|forall|~\s*exists)\b", re.MULTILINE)


def parse(text, macros):
    """The test that a file contains."""
    expected = re.search(r"^ \* Result: (\w+)", text, re.MULTILINE)
    text = _COMMENT.sub("", text)
    heading = re.match(r"C (\S+)\n", text)
    last = _LAST.search(text)
    if not heading or not last:
        raise LitmusError("no name, or no condition")
    body, tail = text[heading.end():last.start()], text[last.start():]
    opened = body.index("{")
    closed = body.index("}", opened)
    threads = []
    marks = list(_THREAD.finditer(body, closed))
    for n, mark in enumerate(marks):
        if int(mark[1]) != n:
            raise LitmusError(f"P{n} is missing")
        end = marks[n + 1].start() if n + 1 < len(marks) else len(body)
        parameters = [p.split("*")[-1].split()[-1] for p in mark[2].split(",") if p.strip()]
        threads.append((parameters, c_parser.parse_block(body[mark.end():end].strip(), macros)))
    clauses = dict(_clauses(tail))
    condition = next(clauses[word] for word in ("exists", "forall", "~exists") if word in clauses)
    return Test(heading[1], expected[1] if expected else "", _initial(body[opened + 1:closed]),
                threads, condition, clauses.get("filter", ("true",)))


def _initial(text):
    values = {}
    for line in text.split(";"):
        match = re.match(r"(?:[\w\s]*[\s*])?(\w+)\s*(?:=\s*(.*\S))?\s*$", line.strip())
        if match:
            value = re.sub(r"ATOMIC_INIT\((\w+)\)", r"\1", match[2] or "0").lstrip("&")
            values[match[1]] = _constant(value)
        elif line.strip():
            raise LitmusError(f"cannot read {line.strip()!r}")
    return values


def _constant(text):
    return int(text) if re.fullmatch(r"-?\d+", text) else Address(text)


def _clauses(text):
    parts = re.split(r"^(locations|filter|exists|forall|~\s*exists)\b", text, flags=re.MULTILINE)
    for word, body in zip(parts[1::2], parts[2::2]):
        if word != "locations":
            yield word.replace(" ", ""), _Condition(body).whole()


class _Condition:
    """`1:r0=1 /\\ ~(x=2 \\/ y=p)`"""

    def __init__(self, text):
        self._tokens = re.findall(r"/\\|\\/|[~()]|(?:\d+:)?\w+\s*=\s*&?-?\w+", text)
        self._at = 0

    def _accept(self, token):
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def whole(self):
        condition = self._or()
        if self._at != len(self._tokens):
            raise LitmusError(f"cannot read the condition at {self._tokens[self._at]!r}")
        return condition

    def _or(self):
        left = self._and()
        while self._accept("\\/"):
            left = ("or", left, self._and())
        return left

    def _and(self):
        left = self._not()
        while self._accept("/\\"):
            left = ("and", left, self._not())
        return left

    def _not(self):
        if self._accept("~"):
            return ("not", self._not())
        if self._accept("("):
            inner = self._or()
            if not self._accept(")"):
                raise LitmusError("a parenthesis is not closed")
            return inner
        if self._at == len(self._tokens):
            raise LitmusError("the condition ends too early")
        self._at += 1
        name, _, value = self._tokens[self._at - 1].partition("=")
        return ("is", name.strip(), _constant(value.strip().lstrip("&")))


def holds(condition, state):
    """Whether a condition is true of a final state; what was never written is zero."""
    kind, *parts = condition
    if kind == "true":
        return True
    if kind == "is":
        return state.get(parts[0], 0) == parts[1]
    if kind == "not":
        return not holds(parts[0], state)
    return (all if kind == "and" else any)(holds(part, state) for part in parts)
