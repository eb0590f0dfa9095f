# SPDX-License-Identifier: GPL-2.0
"""Writes archives in cpio's newc format, which the kernel unpacks as its initramfs."""

import stat
from pathlib import PurePosixPath


class Archive:
    """Collects files, adds the directories that they need, and writes them out."""

    def __init__(self):
        self._entries = {}

    def directory(self, path, mode=0o755):
        self._add(path, stat.S_IFDIR | mode, b"")

    def file(self, path, content, mode=0o644):
        self._add(path, stat.S_IFREG | mode, content)

    def link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, str(target).encode())

    def node(self, path, major, minor, mode=0o600):
        self._add(path, stat.S_IFCHR | mode, b"", (major, minor))

    def __contains__(self, path):
        return str(path).strip("/") in self._entries

    def _add(self, path, mode, content, device=(0, 0)):
        name = str(path).strip("/")
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            self._entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b"", (0, 0)))
        self._entries[name] = (mode, content, device)

    def write(self, output):
        """Writes the archive to a binary stream."""
        for number, (name, (mode, content, device)) in enumerate(self._entries.items(), 1):
            _write_entry(output, number, name, mode, content, device)
        _write_entry(output, 0, "TRAILER!!!", 0, b"", (0, 0))


def _write_entry(output, inode, name, mode, content, device):
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    for part in (header + encoded, content):
        output.write(part)
        output.write(b"\0" * (-len(part) % 4))
