# SPDX-License-Identifier: GPL-2.0
"""Which events and fields the bpftrace scripts use."""

import re
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "bpftrace"
_PROBES = re.compile(r"^((?:tracepoint:\S+\s+)+)(.*?^)\}", re.MULTILINE | re.DOTALL)


def used():
    """The fields that the scripts use of each event, as {(script, event): fields}."""
    found = {}
    for path in _FOLDER.glob("*.bt"):
        for events, rest in _PROBES.findall(path.read_text()):
            for event in re.findall(r"tracepoint:mmu_notifier:(\w+)", events):
                fields = found.setdefault((path.name, event), set())
                fields.update(re.findall(r"args\.(\w+)", rest))
    return found
