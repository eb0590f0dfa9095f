# SPDX-License-Identifier: GPL-2.0
"""The formats that the guest tools write and read."""

import io
import struct
import tempfile
import unittest
from pathlib import Path

import channel
import elf
from cpio import Archive
from stock_modules import StockModules, canonical


class Frames(unittest.TestCase):
    def test_round_trip(self):
        stream = io.BytesIO()
        channel.send(stream, channel.OUTPUT, 7, b"text")
        channel.send(stream, channel.ENDED, 7, struct.pack("<iQ", 256, 1_500_000_000))
        stream.seek(0)
        first, second = channel.frames(stream)
        self.assertEqual(first, (channel.OUTPUT, 7, b"text"))
        self.assertEqual(channel.ended(second[2]), (256, 1.5))

    def test_frame_cut_short_is_not_delivered(self):
        stream = io.BytesIO()
        channel.send(stream, channel.OUTPUT, 7, b"text")
        cut = io.BytesIO(stream.getvalue()[:-1])
        self.assertEqual(list(channel.frames(cut)), [])

    def test_pieces_are_the_whole(self):
        content = bytes(200_000)
        self.assertEqual(b"".join(channel.pieces(content)), content)


class Archives(unittest.TestCase):
    def test_parents_come_before_what_they_hold(self):
        archive = Archive()
        archive.file("/a/b/c", b"12345", 0o755)
        self.assertEqual(self.entries(archive),
                         [("a", 0o40755, b""), ("a/b", 0o40755, b""), ("a/b/c", 0o100755, b"12345"),
                          ("TRAILER!!!", 0, b"")])

    @staticmethod
    def entries(archive):
        output = io.BytesIO()
        archive.write(output)
        data, position, found = output.getvalue(), 0, []
        while position < len(data):
            fields = [int(data[position + 6 + 8 * i:position + 14 + 8 * i], 16) for i in range(13)]
            name_at = position + 110
            content_at = (name_at + fields[11] + 3) // 4 * 4
            found.append((data[name_at:name_at + fields[11] - 1].decode(), fields[1],
                          data[content_at:content_at + fields[6]]))
            position = (content_at + fields[6] + 3) // 4 * 4
        return found


class Modules(unittest.TestCase):
    def test_dependencies_come_first(self):
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "modules.dep").write_text(
                "kernel/kvm-amd.ko.xz: kernel/kvm.ko.xz kernel/irqbypass.ko.xz\n"
                "kernel/kvm.ko.xz: kernel/irqbypass.ko.xz\nkernel/irqbypass.ko.xz:\n")
            stock = StockModules(directory)
            expected = ["kernel/irqbypass.ko.xz", "kernel/kvm.ko.xz", "kernel/kvm-amd.ko.xz"]
            self.assertEqual(stock.closure("kvm-amd"), expected)
            self.assertEqual(stock.closure("kvm_amd"), expected)
            with self.assertRaisesRegex(FileNotFoundError, "nosuch"):
                stock.closure("nosuch")

    def test_names(self):
        self.assertEqual(canonical("kernel/x/kvm-amd.ko.xz"), canonical("kvm_amd"))

    def test_depends_line(self):
        self.assertEqual(elf.module_depends(b"x\0depends=kvm,irqbypass\0y"), ["kvm", "irqbypass"])
        self.assertEqual(elf.module_depends(b"x\0depends=\0y"), [])


class Programs(unittest.TestCase):
    def test_text_needs_no_libraries(self):
        with tempfile.NamedTemporaryFile() as script:
            script.write(b"#!/bin/sh\n")
            script.flush()
            self.assertEqual(elf.dynamic_needs(script.name), (None, []))


if __name__ == "__main__":
    unittest.main()
