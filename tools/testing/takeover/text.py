# SPDX-License-Identifier: GPL-2.0
"""The running kernel's own machine code: which functions of it are not as they were."""

import bisect
import struct

_PAGE = 4096
_LOAD = 1
# The jump that a function begins with once ftrace has patched it, behind its landing pad.
_ENTRY = range(4, 9)


class Text:
    """The bytes of vmlinux's text as they are now, kept in the guest under a name."""

    def __init__(self, vm, name):
        self._vm, self._path = vm, f"/tmp/text.{name}"
        self._symbols = sorted((int(address, 16), symbol) for address, _, symbol, *rest in
                               map(str.split, vm.read("/proc/kallsyms").splitlines()) if not rest)
        names = {symbol: address for address, symbol in self._symbols}
        self._start = names["_stext"] & -_PAGE
        pages = -(-(names["_etext"] - self._start) // _PAGE)
        vm.run(f"dd if=/proc/kcore of={self._path} bs={_PAGE} count={pages} "
               f"skip={self._offset() // _PAGE} 2>/dev/null", check=True)
        size = int(vm.run(f"stat -c %s {self._path}", check=True).output)
        assert size == pages * _PAGE, f"{size} bytes of text instead of {pages} pages"

    def _offset(self):
        """Where /proc/kcore has the text: it is an ELF core file."""
        self._vm.run(f"dd if=/proc/kcore of=/tmp/kcore.head bs={_PAGE} count=1 2>/dev/null",
                     check=True)
        hexadecimal = self._vm.run("hexdump -v -e '1/1 \"%02x\"' /tmp/kcore.head", check=True).output
        head = bytes.fromhex(hexadecimal)
        (table,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<2H", head, 54)
        for number in range(count):
            kind, _, offset, address, _, length = struct.unpack_from("<2I4Q", head,
                                                                     table + number * size)
            if kind == _LOAD and address <= self._start < address + length:
                return offset + self._start - address
        raise AssertionError("/proc/kcore has no kernel text")

    def changes_since(self, before):
        """Returns {function: offsets of the bytes in it that are not as they were}."""
        differing = self._vm.run(f"cmp -l {before._path} {self._path}").output
        addresses = [address for address, _ in self._symbols]
        changes = {}
        for line in differing.splitlines():
            address = self._start + int(line.split()[0]) - 1
            start, name = self._symbols[bisect.bisect_right(addresses, address) - 1]
            changes.setdefault(name, set()).add(address - start)
        return changes


def is_entry(offsets):
    """Whether only the place was changed that ftrace keeps for it at a function's beginning."""
    return offsets <= set(_ENTRY)
