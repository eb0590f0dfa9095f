# SPDX-License-Identifier: GPL-2.0
"""The instructions of one call, by single steps."""

import bisect
import collections
import struct

from commands import Failed, output


class Tracer:
    """Traces calls in one program."""

    def __init__(self, native):
        self._native = native
        rows = (line.split() for line in output(["nm", "-n", native.path]).decode().splitlines())
        functions = [(int(row[0], 16), row[2]) for row in rows
                     if len(row) == 3 and row[1] in "tTwW"]
        self._starts = [address for address, _ in functions]
        self._names = [name for _, name in functions]
        self._text = None

    def _function(self, address):
        return self._names[bisect.bisect_right(self._starts, address) - 1]

    def steps(self, scene, core):
        """[(address, function)] of the instructions of one call, its caller's excepted."""
        raw = output(scene.command(self._native, "trace", core))
        steps = [(address, self._function(address)) for address, in struct.iter_unpack("<Q", raw)]
        caller = f"call_{core}_{scene.call}"
        bounds = [index for index, (_, name) in enumerate(steps) if name == caller]
        if not bounds:
            raise Failed(f"{caller} was not seen")
        inside = [step for step in steps[bounds[0]:bounds[-1]] if step[1] != caller]
        for address, name in inside:
            if any(start <= address < end for start, end in self._native.unpatched):
                raise Failed(f"{name} ran, at {address:#x}, what a kernel would have patched")
        return inside

    def _instruction(self, address):
        if self._text is None:
            lines = output(["objdump", "-d", "--no-show-raw-insn", self._native.path])
            pairs = (line.split(":", 1) for line in lines.decode().splitlines()
                     if line.startswith(" ") and ":" in line)
            self._text = {int(place, 16): text.strip() for place, text in pairs}
        return self._text[address]

    def report(self, scene, core, listing):
        """Lines that tell how many instructions each function ran, and if wanted which."""
        steps = self.steps(scene, core)
        yield f"{core}: {len(steps)} instructions of {scene.name}"
        for name, count in collections.Counter(name for _, name in steps).most_common():
            yield f"  {count:6} {name}"
        before = None
        for address, name in steps if listing else ():
            if name != before:
                yield f"    {name}:"
            before = name
            yield f"      {address:x}  {self._instruction(address)}"
