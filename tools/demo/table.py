# SPDX-License-Identifier: GPL-2.0
"""The live table: drawn over and over in its place on a terminal, appended elsewhere."""

import shutil
import sys
import time

_APPEND_EVERY = 5


class Table:
    """What is shown of one stretch of the demo, from its start to `close`."""

    def __init__(self, start):
        self._start = start
        self._last = start
        self._live = sys.stdout.isatty()
        self._height = 0
        self._appended = start.time

    def show(self, sample):
        """Shows a new sample."""
        if self._live:
            self._draw(full(sample, self._start, self._last))
        elif sample.time - self._appended >= _APPEND_EVERY:
            self._appended = sample.time
            print(short(sample, self._start), flush=True)
        self._last = sample

    def close(self):
        """Leaves the table of the whole stretch on the screen."""
        self._draw(full(self._last, self._start, self._start))
        print(flush=True)

    def _draw(self, lines):
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            lines = [line[:width] for line in lines]
            if self._height:
                print(f"\033[{self._height}A\033[J", end="")
        print("\n".join(lines), flush=True)
        self._height = len(lines)


def full(sample, start, since):
    """All lines: calls from `start` on, their rate from `since` on."""
    seconds = sample.time - since.time
    lines = [f"     {'hook':<32}{'calls/s':>9}{'calls':>10}{'in C':>10}{'in Rust':>10}"]
    recent = sample.since(since)
    for name, done in sample.since(start).items():
        rate = recent[name].calls / seconds if seconds else 0
        lines.append(f"     {name:<32}{rate:>9,.0f}{done.calls:>10,}{done.by_c:>10,}"
                     f"{done.by_rust:>10,}")
    events = {name: number - start.events[name] for name, number in sample.events.items()}
    seen = sorted(((number, name) for name, number in events.items() if number), reverse=True)
    lines += wrapped("range_start by event", (f"{name} {number:,}" for number, name in seen))
    lines += wrapped("KVM guest", guest_parts(sample))
    lines += wrapped("done to its memory",
                     (f"{name} {number}" for name, number in sample.operations().items()))
    return lines


def short(sample, start):
    """One line."""
    done = sample.total(start)
    return (f"     {sample.time - start.time:4.0f} s: {done.calls:,} calls, {done.by_c:,} in C, "
            f"{done.by_rust:,} in Rust; guest: {', '.join(guest_parts(sample))}")


def guest_parts(sample):
    """What the KVM guest says of itself."""
    guest = sample.guest
    return [f"pid {sample.pid}", f"{guest.get('loops', 0):,} loops",
            f"{guest.get('verified', 0) / 1e6:,.0f} MB verified",
            f"{guest.get('wrong', 0)} wrong bytes"]


def wrapped(title, parts, width=75):
    """Lines of parts, indented below a title."""
    lines = [f"     {title}: "]
    indent = " " * 7
    for part in parts:
        if len(lines[-1]) + len(part) > width:
            lines.append(indent)
        lines[-1] += f"{part}  "
    return [line.rstrip() for line in lines]


def pause():
    """The time between two samples."""
    time.sleep(1)
