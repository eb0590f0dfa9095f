# SPDX-License-Identifier: GPL-2.0
"""Counts the calls of a driver's own callback, and from which core they come, by kernel tracing."""

import hooks

_TRACING = "/sys/kernel/tracing"
_GROUP = "upstream_callbacks"


class Probe:
    """One on the entry of `function`, in place until the guest ends.

    Code is patched once, not for each program: see Guest about processors in parallel.
    """

    def __init__(self, vm, function, module):
        self._vm = vm
        self._function = function
        self._callers = hooks.Callers()
        event = f"{_TRACING}/events/{_GROUP}/{function}"
        self._histogram = f"{event}/hist"
        self._before = {}
        vm.run(f"echo 0 > /proc/sys/debug/kprobes-optimization && "
               f"echo 'p:{_GROUP}/{function} {module}:{function} caller=$stack0' "
               f">> {_TRACING}/kprobe_events && echo hist:keys=caller.sym > {event}/trigger && "
               f"echo 1 > {event}/enable", check=True)

    def start(self):
        """Counts from now on."""
        self._before = self._now()

    def read(self):
        """Returns the calls since the start as {function: n, function.from_c: n, ...}."""
        return {name: count - self._before[name] for name, count in self._now().items()
                if count > self._before[name]}

    def _now(self):
        c, rust = self._callers.count(self._vm.read(self._histogram))
        return {self._function: c + rust, f"{self._function}.from_c": c,
                f"{self._function}.from_rust": rust}
