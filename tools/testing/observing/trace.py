# SPDX-License-Identifier: GPL-2.0
"""The core's tracepoints in a guest: switching them on, and what they have told."""

import re
from dataclasses import dataclass

_TRACING = "/sys/kernel/tracing"
SYSTEM = f"{_TRACING}/events/mmu_notifier"
_LINE = re.compile(r"^ *(?P<comm>.*)-(?P<tid>\d+) +\[\d+\] \S+ +[\d.]+: (?P<name>mmn_\w+): "
                   r"(?P<fields>.*)$", re.MULTILINE)
_FIELD = re.compile(r"(\w+)=(.*?)(?= \w+=|$)")


@dataclass(frozen=True)
class Event:
    """One line of the trace."""

    comm: str
    tid: int
    name: str
    fields: dict

    def __getattr__(self, name):
        return self.fields[name]


def names(vm):
    """The names of all events."""
    return set(vm.run(f"cd {SYSTEM} && ls -d */", check=True).output.replace("/", "").split())


def formats(vm):
    """The formats of all events, by name."""
    parts = vm.run(f"cat {SYSTEM}/*/format", check=True).output.split("name: ")
    return dict(part.split("\n", 1) for part in parts[1:])


def recorded(text):
    """The fields that a format records."""
    return set(re.findall(r"field:[^;]*?(\w+)(?:\[\w+\])?;", text))


def switch(vm, on, only=None):
    """Switches all of them on, or one, with an empty trace that keeps what comes first; or off."""
    if on:
        vm.write(f"{_TRACING}/options/overwrite", "0")
        vm.write(f"{_TRACING}/buffer_size_kb", "2048")
        vm.write(f"{_TRACING}/trace", "")
    vm.write(f"{SYSTEM}/{f'{only}/' if only else ''}enable", "1" if on else "0")


def read(vm):
    """What was told since they were switched on, in order."""
    return [Event(match["comm"], int(match["tid"]), match["name"],
                  dict(_FIELD.findall(match["fields"])))
            for match in _LINE.finditer(vm.read(f"{_TRACING}/trace"))]
