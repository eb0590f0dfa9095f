# SPDX-License-Identifier: GPL-2.0
"""Finds every call of a hook in the kernel's source, by its text.

A call in a function of a header stands for the calls of that function. What cannot be for x86-64
is left out; what its configuration leaves out is told by the compiled code (compiled_calls.py).
"""

import re
import subprocess
from dataclasses import dataclass

RANGE = "range"
TLB = "arch_invalidate_secondary_tlbs"
YOUNG = ("clear_flush_young", "clear_young", "test_young")
HOOKS = (RANGE, *YOUNG, TLB)

# What the VM calls: inline functions that look whether there are subscriptions at all.
_HEADER = "include/linux/mmu_notifier.h"
_PREFIX = "mmu_notifier_"
_START = {f"{_PREFIX}invalidate_range_start": RANGE,
          f"{_PREFIX}invalidate_range_start_nonblock": RANGE}
_DIRECT = _START | {f"{_PREFIX}{hook}": hook for hook in (*YOUNG, TLB)}
_END = f"{_PREFIX}invalidate_range_end"

_ELSEWHERE = re.compile(r"arch/(?!x86/)|tools/|Documentation/|samples/|scripts/|usr/")
# The core itself and its users, not the VM.
_NOT_SITES = ("mm/mmu_notifier.c", _HEADER)


class SourceError(Exception):
    """The source is not as this reader of it assumes."""


@dataclass(frozen=True)
class Call:
    """A call of `callee`, which ends in the hook, as the source has it."""

    file: str
    function: str
    line: int
    callee: str
    hook: str


def find(source):
    """Returns the calls in .c files that stand for hooks, sorted, from the kernel source tree."""
    texts = _texts(source)
    callees = dict(_DIRECT)
    while True:
        # Inline functions of headers, and inline functions of headers that call those, and so on.
        in_headers = {call for name, text in texts.items() if name.endswith(".h")
                      for call in _calls(name, text, callees)}
        new = {call.function: call.hook for call in in_headers} | callees
        if new == callees:
            break
        callees = new
        texts = _texts(source, callees)
    calls = [call for name, text in texts.items() if name.endswith(".c")
             for call in _calls(name, text, callees)]
    _check_pairs(texts, calls)
    return sorted(calls, key=lambda call: (call.file, call.line))


def _texts(source, callees=_DIRECT):
    """The files that name one of the callees, without comments and strings."""
    wanted = rf"\b({'|'.join((*callees, _END))})\s*\("
    listed = subprocess.run(["grep", "-rlE", "--include=*.[ch]", wanted, "."], cwd=source,
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    names = sorted(name.removeprefix("./") for name in listed.splitlines())
    return {name: _without_comments((source / name).read_text(errors="replace"))
            for name in names if not _ELSEWHERE.match(name) and name not in _NOT_SITES}


def _without_comments(text):
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', blank, text, flags=re.S)


def _calls(name, text, callees):
    """The calls in one file; every mention that is followed by a parenthesis is accounted for."""
    pattern = re.compile(rf"\b({'|'.join(callees)})\s*\(")
    functions = _functions(text)
    calls = []
    for match in pattern.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        around = [function for function, (head, body, end) in functions if head <= line <= end]
        if not around:
            raise SourceError(f"{name}:{line}: {match[1]} is called outside of any function")
        function = around[0]
        if function != match[1]:  # else it is where the function is defined
            calls.append(Call(name, function, line, match[1], callees[match[1]]))
    return calls


def _functions(text):
    """Returns [(name, (line of its head, of its opening brace, of its closing brace))]."""
    found, head, name, body = [], None, None, None
    for number, line in enumerate(text.splitlines(), 1):
        if body is not None:
            if line.startswith("}"):
                found.append((name, (head, body, number)))
                head = name = body = None
        elif line.startswith("{"):
            if name:
                body = number
        elif re.match(r"[A-Za-z_]", line) and not line.rstrip().endswith(":"):
            opening = re.search(r"\b(\w+)\s*\(", line)
            if name is None or re.match(r"(?:static|extern|const|struct|unsigned|bool|int|void|"
                                        r"long|vm_fault_t|__always_inline|noinline)\b", line):
                head, name = number, opening and opening[1]
            if line.rstrip().endswith(";"):
                head = name = None
        elif name and line.rstrip().endswith(";"):
            head = name = None
        elif head and name is None:
            opening = re.search(r"\b(\w+)\s*\(", line)
            name = opening and opening[1]
    return found


def _check_pairs(texts, calls):
    """What starts ranges ends them, the pair is one site; or a file has one of each."""
    starts = {(call.file, call.function) for call in calls if call.hook == RANGE}
    ends = {(name, call.function) for name, text in texts.items()
            for call in _calls(name, text, {_END: RANGE})}
    for file in {file for file, _ in starts ^ ends}:
        if any(len([name for name, _ in ranges if name == file]) != 1
               for ranges in (starts, ends)):
            raise SourceError(f"{file}: which range is ended where?")
