# SPDX-License-Identifier: GPL-2.0
"""What is called, and what subscriptions it meets."""

from dataclasses import dataclass

CORES = ("c", "rust", "floor")


@dataclass(frozen=True)
class Scene:
    """Subscriptions to an mm, and a call of the VM for it."""

    call: str
    subscriptions: int = 0
    intervals: int = 0
    overlapping: int = 0

    @property
    def params(self):
        if self.intervals:
            return {"intervals": self.intervals, "overlapping": self.overlapping}
        return {"subscriptions": self.subscriptions}

    @property
    def name(self):
        """Tells it from the others on a command line."""
        return "-".join([self.call, *map(str, self.params.values())])

    def command(self, native, what, last):
        """The arguments that make the program `native` do it."""
        return [native.path, what, self.call, self.subscriptions, self.intervals,
                self.overlapping, last]


_CALLS = ("start_end", "test_young", "clear_flush_young")
SCENES = (*(Scene(call, subscriptions=count) for call in _CALLS for count in (1, 4, 64)),
          *(Scene("start_end", intervals=count, overlapping=overlapping)
            for count in (1, 100, 10_000) for overlapping in sorted({0, 1, count})))
