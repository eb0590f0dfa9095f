# SPDX-License-Identifier: GPL-2.0
"""Traces which sites call the hooks in a guest, and with which events.

A probe on the entry of each of the core's C functions, where every call of the VM comes by also
when Rust serves it. The caller is told by its return address, as symbol and offset.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import hooks
import project
from source_calls import HOOKS, RANGE

_TRACING = "/sys/kernel/tracing"
_GROUP = "mmu_notifier_sites"
_INSTANCE = f"{_TRACING}/instances/{_GROUP}"
_EVENTS = f"{_INSTANCE}/events/{_GROUP}"
_KEYS = {hook: "caller.sym-offset" for hook in HOOKS} | {RANGE: "caller.sym-offset,event"}
_PROBED = {hook: hook for hook in HOOKS} | {RANGE: "invalidate_range_start"}
_HEADING = "# event histogram\n"
_ENTRY = re.compile(r"\{ caller: \[[0-9a-f]+\] (\S+?)(?: \[(\w+)\])?\s*(?:, event: +(\d+) )?\} "
                    r"hitcount: +(\d+)")


class TracingError(Exception):
    """The kernel was seen calling from where nothing calls."""


@dataclass
class Seen:
    """How often a site called, by event where the hook has one."""

    count: int = 0
    events: Counter = field(default_factory=Counter)


class Tracing:
    """The probes in one guest; a context manager."""

    def __init__(self, vm, sites):
        self._vm = vm
        self._places = {(site.hook, *place): site.id for site in sites for place in site.returns}
        header = project.kernel().source / "include/linux/mmu_notifier.h"
        self._names = hooks.event_names(header.read_text())

    def __enter__(self):
        probes = "".join(
            f"p:{_GROUP}/{hook} {hooks.PREFIX}{_PROBED[hook]} caller=$stack0"
            + (" event=range->event" if hook == RANGE else "") + "\n" for hook in HOOKS)
        # A probe is one byte that way; optimised, it would be a jump, patched in over five.
        self._script("echo 0 > /proc/sys/debug/kprobes-optimization", f"mkdir {_INSTANCE}")
        self._vm.run(f"cat >> {_TRACING}/kprobe_events", check=True, stdin=probes)
        self._script(*(f"echo hist:keys={_KEYS[hook]} > {_EVENTS}/{hook}/trigger"
                       for hook in HOOKS),
                     f"echo 1 > {_EVENTS}/enable")
        return self

    def __exit__(self, *_):
        if self._vm.alive:
            self._script(f"echo 0 > {_EVENTS}/enable",
                         *(f"echo '!hist:keys={_KEYS[hook]}' > {_EVENTS}/{hook}/trigger"
                           for hook in HOOKS),
                         f"rmdir {_INSTANCE}",
                         f"echo '-:{_GROUP}/' >> {_TRACING}/kprobe_events")

    def clear(self):
        """Forgets what was seen so far."""
        self._script(*(f"echo hist:keys={_KEYS[hook]}:clear >> {_EVENTS}/{hook}/trigger"
                       for hook in HOOKS))

    def read(self):
        """Returns {site: Seen} since the last `clear`."""
        text = self._vm.run("cat " + " ".join(f"{_EVENTS}/{hook}/hist" for hook in HOOKS),
                            check=True).output
        return self.parse(text)

    def parse(self, text):
        """The same from the histograms of all hooks, one after the other."""
        found = {}
        for hook, histogram in zip(HOOKS, text.split(_HEADING)[1:], strict=True):
            if re.search(r"Dropped: +[1-9]", histogram):
                raise TracingError(f"the histogram of {hook} has dropped calls")
            entries = _ENTRY.findall(histogram)
            if len(entries) != histogram.count("{ caller:"):
                raise TracingError(f"the histogram of {hook} cannot be read:\n{histogram}")
            for caller, _, event, count in entries:
                seen = found.setdefault(self._site(hook, caller), Seen())
                seen.count += int(count)
                if event:
                    seen.events[self._names[int(event)]] += int(count)
        return found

    def _site(self, hook, caller):
        symbol, offset = re.fullmatch(r"(.*)\+(0x[0-9a-f]+)(?:/0x[0-9a-f]+)?", caller).groups()
        try:
            return self._places[hook, symbol, int(offset, 16)]
        except KeyError:
            raise TracingError(f"{hook} was called from {caller}, where no site is: the running "
                               "kernel was not compiled from this source like this") from None

    def _script(self, *commands):
        self._vm.run(" && ".join(commands), check=True)
