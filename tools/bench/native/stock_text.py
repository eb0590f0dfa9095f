# SPDX-License-Identifier: GPL-2.0
"""Finds functions of object files in the image of the stock kernel."""

import re
import shutil
import struct
import subprocess

from program import Program

_ZSTD = bytes.fromhex("28b52ffd")
_CALL, _JMP = 0xe8, 0xe9


class NoImage(Exception):
    """The image cannot be read here; the message says why."""


def image(vmlinuz):
    """The code of the kernel in `vmlinuz`, as one bytes object for each section."""
    if not vmlinuz.is_file():
        raise NoImage(f"{vmlinuz} is missing")
    packed = vmlinuz.read_bytes()
    start = packed.find(_ZSTD)
    if start < 0 or not shutil.which("zstd"):
        raise NoImage(f"{vmlinuz}: " + ("not packed with zstd" if start < 0 else
                                        "zstd is not installed, which unpacks it"))
    # It complains about what follows the packed kernel.
    done = subprocess.run(["zstd", "-dcq"], input=packed[start:], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    if done.stdout[:4] != b"\x7fELF":
        raise NoImage(f"{vmlinuz}: there is no ELF file in it")
    kernel = Program(done.stdout)
    return [kernel.bytes_of(section) for section in kernel.sections if section.is_code]


def patterns(path):
    """{name: pattern} of the functions of an object file; what a linker fills in is left open."""
    program = Program.read(path)
    functions = [symbol for symbol in program.symbols if symbol.is_function and symbol.size]
    return {function.name: _pattern(program, function, functions) for function in functions}


def _pattern(program, function, functions):
    code = program.bytes_of(program.sections[function.section])
    code = code[function.value:function.value + function.size]
    left_open = set()
    for relocation in program.relocations:
        at = relocation.place - function.value
        if relocation.target == function.section and 0 <= at < len(code):
            left_open.update(range(at, at + relocation.width))
    # A function of the same file may be at another distance in the kernel.
    others = {other.value for other in functions
              if other.section == function.section and other != function}
    for at in range(len(code) - 4):
        if code[at] in (_CALL, _JMP) and at + 1 not in left_open:
            distance, = struct.unpack_from("<i", code, at + 1)
            if function.value + at + 5 + distance in others:
                left_open.update(range(at + 1, at + 5))
    return re.compile(b"".join(b"." if at in left_open else re.escape(code[at:at + 1])
                               for at in range(len(code))), re.DOTALL)


def differing(pattern_of, names, sections):
    """Those of `names` that have no pattern, or one that no section has byte for byte."""
    return sorted(name for name in names if name not in pattern_of
                  or not any(pattern_of[name].search(section) for section in sections))
