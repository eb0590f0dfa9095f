# SPDX-License-Identifier: GPL-2.0
"""An ELF file of x86-64 in memory: its code, its functions and its relocations."""

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_SHT_PROGBITS, _SHT_SYMTAB, _SHT_RELA = 1, 2, 4
_SHF_EXECINSTR = 4
_STT_FUNC = 2
_R_X86_64_64, _R_X86_64_PC64 = 1, 24


@dataclass
class Section:
    """A row of the section headers."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int

    @property
    def is_code(self):
        return self.kind == _SHT_PROGBITS and bool(self.flags & _SHF_EXECINSTR)


@dataclass(frozen=True)
class Symbol:
    name: str
    section: int
    value: int
    size: int
    is_function: bool


@dataclass(frozen=True)
class Relocation:
    """`place` is an address, or in an object file the offset in the section `target`."""

    target: int
    place: int
    kind: int
    symbol: Symbol

    @property
    def width(self):
        return 8 if self.kind in (_R_X86_64_64, _R_X86_64_PC64) else 4


class Program:
    """An object file or a program; `data` is what was read and may be patched."""

    def __init__(self, data):
        self.data = bytearray(data)
        table, = struct.unpack_from("<Q", self.data, 40)
        size, count, names = struct.unpack_from("<HHH", self.data, 58)
        rows = [struct.unpack_from("<IIQQQQII", self.data, table + size * index)
                for index in range(count)]
        strings = rows[names][4]
        self.sections = [Section(self._string(strings + row[0]), *row[1:]) for row in rows]

    @classmethod
    def read(cls, path):
        return cls(Path(path).read_bytes())

    def _string(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode()

    def section(self, name):
        return next((section for section in self.sections if section.name == name), None)

    def bytes_of(self, section):
        return bytes(self.data[section.offset:section.offset + section.size])

    @cached_property
    def symbols(self):
        table = next((section for section in self.sections if section.kind == _SHT_SYMTAB), None)
        if not table:
            return []
        strings = self.sections[table.link].offset
        return [Symbol(self._string(strings + name), section, value, size,
                       info & 15 == _STT_FUNC)
                for name, info, _, section, value, size
                in struct.iter_unpack("<IBBHQQ", self.bytes_of(table))]

    @cached_property
    def relocations(self):
        return [Relocation(table.info, place, info & 0xffffffff, self.symbols[info >> 32])
                for table in self.sections
                if table.kind == _SHT_RELA and table.name.startswith(".rela.")
                and not table.name.startswith(".rela.debug")
                for place, info, _ in struct.iter_unpack("<QQq", self.bytes_of(table))]

    def offset(self, address):
        """Where in the file the code of `address` is, or None if there is none."""
        for section in self.sections:
            if section.is_code and section.address <= address < section.address + section.size:
                return address - section.address + section.offset
        return None

    def code(self, address, length):
        """The code at `address`, or nothing if there is none."""
        offset = self.offset(address)
        return b"" if offset is None else bytes(self.data[offset:offset + length])

    def patch(self, address, code):
        offset = self.offset(address)
        self.data[offset:offset + len(code)] = code
