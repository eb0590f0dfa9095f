# SPDX-License-Identifier: GPL-2.0
"""Reads what is needed of 64-bit little-endian ELF files without running them."""

import struct
from pathlib import Path

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5


def dynamic_needs(path):
    """Returns (interpreter or None, [names of the shared libraries needed])."""
    data = Path(path).read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return None, []
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for index in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data,
                                                                 table + index * size)
        segments.append((kind, offset, address, length))

    interpreter, needed = None, []
    for kind, offset, _, length in segments:
        if kind == _PT_INTERP:
            interpreter = data[offset:offset + length].rstrip(b"\0").decode()
        elif kind == _PT_DYNAMIC:
            tags = list(struct.iter_unpack("<QQ", data[offset:offset + length]))
            needed = _needed_names(data, tags, segments)
    return interpreter, needed


def _needed_names(data, tags, segments):
    strings = next((value for tag, value in tags if tag == _DT_STRTAB), None)
    if strings is None:
        return []
    base = next(offset + strings - address for kind, offset, address, length in segments
                if kind == _PT_LOAD and address <= strings < address + length)
    return [data[base + value:data.index(b"\0", base + value)].decode()
            for tag, value in tags if tag == _DT_NEEDED]


def with_libraries(program, root):
    """Yields (path in the root, real file) of each library that `program` needs to run.

    Libraries are taken from the directory tree `root`, where `program` was linked.
    """
    seen, queue = set(), [Path(program)]
    while queue:
        interpreter, names = dynamic_needs(queue.pop())
        wanted = [Path(interpreter)] if interpreter else []
        wanted += [_find(root, name, program) for name in names]
        for path in wanted:
            if path.name not in seen:
                seen.add(path.name)
                real = _inside_root(root, path)
                queue.append(real)
                yield path, real


def _find(root, name, program):
    for directory in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "lib",
                      "usr/lib"):
        if (root / directory / name).exists():
            return Path("/") / directory / name
    raise FileNotFoundError(f"{program} needs {name}, which {root} does not have; "
                            "link it statically or add the library to the toolchain root")


def _inside_root(root, path):
    """Follows symbolic links as they read inside `root`."""
    real = root / path.relative_to("/")
    while real.is_symlink():
        target = real.readlink()
        real = root / target.relative_to("/") if target.is_absolute() else real.parent / target
    return real


def module_depends(content):
    """Returns the names in the `depends=` line of a kernel module."""
    start = content.find(b"\0depends=")
    if start < 0:
        return []
    start += len(b"\0depends=")
    names = content[start:content.index(b"\0", start)].decode()
    return [name for name in names.split(",") if name]
