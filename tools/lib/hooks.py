# SPDX-License-Identifier: GPL-2.0
"""Counts the VM's calls of the notifier hooks, and who serves them, by kernel tracing.

Three probes per hook, none of which asks the module:

- on the entry of the C function, where livepatch redirects it: every call of the VM. The probe
  shares the entry with livepatch, which is allowed: it does not change where the call goes.
- on the first instruction of the C function's body: the calls that C serves. Those that do not
  come here are served by what livepatch redirects to. (Rust functions have no ftrace entry, and
  kprobe events refuse such functions, so there is no probe on them.)
- on the callback of KVM that the core calls, with the caller's address: a caller in the module
  shows that Rust has not only taken the call but told KVM.
"""

import operator
import re
from dataclasses import astuple, dataclass

import core
import project

PREFIX = "__mmu_notifier_"
# What the VM calls, in the order of the list of hooks in the kernel's header.
NAMES = ("release", "clear_flush_young", "clear_young", "test_young", "invalidate_range_start",
         "invalidate_range_end", "arch_invalidate_secondary_tlbs", "subscriptions_destroy")
# Those that end in a callback of KVM, and its name there.
_KVM_NAMES = NAMES[:6]
_KVM_PREFIX = "kvm_mmu_notifier_"

_TRACING = "/sys/kernel/tracing"
_GROUP = "mmu_notifier_hooks"
_INSTANCE = f"{_TRACING}/instances/{_GROUP}"
_EVENTS = f"{_INSTANCE}/events/{_GROUP}"
_PROFILE = f"{_TRACING}/kprobe_profile"
_BY_EVENT = f"{_EVENTS}/vm_invalidate_range_start"
_CALL_BYTES = 5
_HEADING = "# event histogram\n"


class HooksError(Exception):
    """Tracing does not work as it must."""


@dataclass(frozen=True)
class Count:
    """Calls of one hook in a stretch of time, and the callbacks of KVM by their caller.

    What is served is never counted too high: a call under way at either end is left out.
    """

    by_c: int = 0
    by_rust: int = 0
    kvm_from_c: int = 0
    kvm_from_rust: int = 0

    @property
    def calls(self):
        """Calls of the VM, whoever serves them."""
        return self.by_c + self.by_rust

    def __add__(self, other):
        return Count(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Reading:
    """The probes of one hook, read twice in a row where that matters."""

    calls: tuple
    by_c: tuple
    kvm_from_c: int
    kvm_from_rust: int

    def since(self, start):
        """Returns the Count from the reading `start` to this one."""
        # Of the calls up to now, those that C has not seen even by the second look; less those
        # that may have been so at the start.
        unseen = (self.calls[0] - self.by_c[1]) - (start.calls[1] - start.by_c[0])
        return Count(max(0, self.by_c[0] - start.by_c[1]), max(0, unseen),
                     self.kvm_from_c - start.kvm_from_c, self.kvm_from_rust - start.kvm_from_rust)


class Hooks:
    """The probes in one guest; `start` before the first process has notifiers."""

    def __init__(self, vm):
        self._vm = vm
        header = project.kernel().source / "include/linux/mmu_notifier.h"
        self._event_names = event_names(header.read_text())
        self._callers = Callers()

    def start(self):
        """Sets all probes; KVM must be loaded."""
        # A probe is one byte that way, which is written at once. Optimised, it would be a jump of
        # five bytes, and one more set of patches to all of them at each start and end.
        self._script("echo 0 > /proc/sys/debug/kprobes-optimization",
                     f"mkdir {_INSTANCE}", f"echo 0 > {_INSTANCE}/tracing_on")
        self._define(f"p:{_GROUP}/vm_{name} {PREFIX}{name}"
                     + (" event=range->event" if name == "invalidate_range_start" else "")
                     for name in NAMES)
        self._count_by(_BY_EVENT, "event")
        self._enable("vm", NAMES)
        entries = self._entries()
        self._define(f"p:{_GROUP}/c_{name} {PREFIX}{name}+{entries[name] + _CALL_BYTES}"
                     for name in NAMES)
        self._enable("c", NAMES)
        self._define(f"p:{_GROUP}/kvm_{name} kvm:{_KVM_PREFIX}{name} caller=$stack0"
                     for name in _KVM_NAMES)
        for name in _KVM_NAMES:
            self._count_by(f"{_EVENTS}/kvm_{name}", "caller.sym")
        self._enable("kvm", _KVM_NAMES)

    def stop(self):
        """Removes them again."""
        self._script(f"echo 0 > {_EVENTS}/enable",
                     f"for t in {_EVENTS}/*/trigger; do grep -o '^hist:keys=[a-z.]*' $t | "
                     "sed 's/^/!/' > $t; done",
                     f"rmdir {_INSTANCE}", f"echo '-:{_GROUP}/' >> {_TRACING}/kprobe_events")

    def read(self):
        """Returns {hook: Reading}."""
        files = [_PROFILE, _PROFILE, *(f"{_EVENTS}/kvm_{name}/hist" for name in _KVM_NAMES)]
        # Told apart by the heading of each histogram; the first part is the two profiles.
        profiles, *histograms = self._vm.run(f"cat {' '.join(files)}", check=True).output.split(
            _HEADING)
        looks = parse_profiles(profiles)
        callers = {name: self._callers.count(text)
                   for name, text in zip(_KVM_NAMES, histograms, strict=True)}
        return {name: Reading(looks[f"vm_{name}"], looks[f"c_{name}"],
                              *callers.get(name, (0, 0))) for name in NAMES}

    def events(self):
        """Returns {event: calls of invalidate_range_start with it}, in the kernel's order."""
        counts = parse_events(self._vm.read(f"{_BY_EVENT}/hist"))
        return {name: counts.get(number, 0) for number, name in enumerate(self._event_names)}

    def _script(self, *commands):
        self._vm.run(" && ".join(commands), check=True)

    def _define(self, probes):
        self._vm.run(f"cat >> {_TRACING}/kprobe_events", check=True,
                     stdin="".join(f"{probe}\n" for probe in probes))

    def _count_by(self, event, key):
        self._script(f"echo hist:keys={key} > {event}/trigger")

    def _enable(self, kind, names):
        self._script(*(f"echo 1 > {_EVENTS}/{kind}_{name}/enable" for name in names))

    def _entries(self):
        """Returns where in each function its ftrace entry is; all probes must sit on it."""
        probes = self._vm.read("/sys/kernel/debug/kprobes/list")
        found = {name: int(offset, 16) for name, offset in
                 re.findall(rf" {PREFIX}(\w+)\+(0x[0-9a-f]+)\s+\[FTRACE\]$", probes, re.M)}
        missing = set(NAMES) - set(found)
        if missing:
            raise HooksError(f"no probe on the ftrace entry of {', '.join(sorted(missing))}:\n"
                             f"{probes}")
        return found


class Callers:
    """Tells callers of KVM's callbacks apart, by their symbols."""

    def __init__(self):
        # Once the module is unloaded, its addresses have no symbols any more.
        self._in_module = {}

    def count(self, text):
        """Parses a histogram keyed by caller; returns the calls from the kernel, from Rust."""
        counts = [0, 0]
        for address, symbol, hits in re.findall(
                r"\{ caller: \[([0-9a-f]+)\] (.*?) *\} hitcount: +(\d+)", _whole(text)):
            if symbol.endswith(f"[{core.NAME}]"):
                self._in_module[address] = True
            elif re.fullmatch(r"[A-Za-z_][\w.]*", symbol):
                self._in_module[address] = False
            if address not in self._in_module:
                raise HooksError(f"KVM was called from an unknown place: {symbol}")
            counts[self._in_module[address]] += int(hits)
        return counts


def parse_profiles(text):
    """Parses kprobe_profile, read several times, into {event: its hits in each}."""
    hits = {}
    for line in text.splitlines():
        event, hit, missed = line.split()
        hits[event] = (*hits.get(event, ()), int(hit))
        if int(missed):
            raise HooksError(f"the probe {event} has missed {missed} calls")
    return hits


def parse_events(text):
    """Parses a histogram keyed by the event into {number: hits}."""
    return {int(key): int(hits)
            for key, hits in re.findall(r"\{ event: +(\d+) \} hitcount: +(\d+)", _whole(text))}


def _whole(histogram):
    if re.search(r"Dropped: +[1-9]", histogram):
        raise HooksError(f"a histogram has dropped calls:\n{histogram}")
    return histogram


def event_names(header):
    """Returns the names of enum mmu_notifier_event by number, from the kernel's own header."""
    enum = re.search(r"enum mmu_notifier_event \{(.*?)\};", header, re.S)
    names = re.findall(r"^\s*MMU_NOTIFY_(\w+)(?: = 0)?,$", enum[1], re.M) if enum else []
    if not names or len(names) != enum[1].count(","):
        raise HooksError("cannot read enum mmu_notifier_event in the kernel's header")
    return names
