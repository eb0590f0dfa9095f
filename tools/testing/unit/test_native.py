# SPDX-License-Identifier: GPL-2.0
"""The native benchmark: the code that it patches, finds in an image, and its figures."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import project

_BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(_BENCH), str(_BENCH / "native"), str(_BENCH.parent / "build")]

import live_text  # noqa: E402
import native  # noqa: E402
import stock_text  # noqa: E402
from program import Program  # noqa: E402
from scenes import Scene  # noqa: E402

_SOURCE = """
	.text
	.globl _start
	.type _start, @function
_start:	call __fentry__
	call __x86_indirect_thunk_rdx
	.byte 0x2e
	call __x86_indirect_thunk_r11
	call __SCT__queued_spin_unlock
	call __SCT__preempt_schedule
masked:	call *pv_ops(%rip)
left:	call *pv_ops(%rip)
1:	jmp 1b
	jmp __x86_return_thunk
	.size _start, . - _start
	.type other, @function
other:	call _start
	mov $pv_ops, %rdi
	ret
	.size other, . - other

	.globl __fentry__, __x86_indirect_thunk_rdx, __x86_indirect_thunk_r11
	.globl __x86_return_thunk, __SCT__queued_spin_unlock, __SCT__preempt_schedule
	.section .fixed, "ax"
__fentry__:
__x86_indirect_thunk_rdx:
__x86_indirect_thunk_r11:
__x86_return_thunk:
__SCT__queued_spin_unlock:
__SCT__preempt_schedule:
	ret
cli:	cli
	.section .data
pv_ops:	.quad 0
	.section .altinstructions, "a"
	.long masked - .
	.long cli - .
	.short 8 * 32 + 16, 1
	.byte 6, 1
	.long left - .
	.long cli - .
	.short 1, 0
	.byte 6, 1
	.section __jump_table, "aw"
	.long 1b - .
	.long 0
	.quad 2
"""

_PATCHED = """
	.byte 0x0f, 0x1f, 0x44, 0, 0
	call *%rdx
	nopl (%rax)
	call *%r11
	nopl (%rax)
	.byte 0x3e, 0x3e
	movb $0, (%rdi)
	call .
	.byte 0x90, 0x90, 0x90, 0x90, 0x90, 0x90
	call *0(%rip)
	xchg %ax, %ax
	ret
	int3
	int3
	int3
	int3
"""


def _assembled(folder, name, source):
    path = Path(folder) / f"{name}.S"
    path.write_text(source)
    compiled = path.with_suffix(".o")
    project.inside(["gcc", "-c", "-o", compiled, path], check=True)
    return compiled


def _masked(code, holes):
    return bytes(0 if any(at in hole for hole in holes) else byte for at, byte in enumerate(code))


class Text(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        project.BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=project.BUILD) as folder:
            source = _assembled(folder, "source", _SOURCE)
            linked = source.with_suffix("")
            # Where it is linked to must not matter.
            project.inside(["ld", "-Ttext=0x500000", "--emit-relocs", "-o", linked, source],
                           check=True, stderr=subprocess.DEVNULL)
            cls.linked = Program.read(linked)
            cls.patterns = stock_text.patterns(source)
            expected = Program.read(_assembled(folder, "patched", _PATCHED))
        cls.expected = expected.bytes_of(expected.section(".text"))
        cls.original = cls.linked.bytes_of(cls.linked.section(".text"))
        cls.unpatched = live_text.patch(cls.linked)
        cls.code = cls.linked.bytes_of(cls.linked.section(".text"))

    def test_patches_what_a_kernel_patches(self):
        # The distances of the one static call and the one alternative that stay.
        holes = (range(22, 26), range(34, 38))
        length = len(self.expected)
        self.assertEqual(_masked(self.expected, holes).hex(" "),
                         _masked(self.code[:length], holes).hex(" "))

    def test_tells_what_it_left(self):
        self.assertEqual([(0x500000 + 32, 0x500000 + 38)], self.unpatched)

    def test_finds_functions_wherever_they_are_linked(self):
        self.assertEqual([], stock_text.differing(self.patterns, {"_start", "other"},
                                                  [b"\x90" * 7 + self.original]))

    def test_tells_functions_that_differ(self):
        # the last byte of other(), which is its ret
        changed = self.original[:-1] + b"\x90"
        self.assertEqual(["other"], stock_text.differing(self.patterns, {"_start", "other"},
                                                         [changed]))

    def test_a_function_that_is_unknown_differs(self):
        self.assertEqual(["third"], stock_text.differing(self.patterns, {"third"},
                                                         [self.original]))


class Figure(unittest.TestCase):
    def test_medians_and_ratios(self):
        # The round that something interrupted must not show in the medians.
        first = [(10.0, 5.0, 1.0)] * 3 + [(500.0, 5.0, 1.0)]
        second = [(10.0, 6.0, 1.0)] * 3
        row = native.figure(Scene("start_end", subscriptions=1), [first, second])
        self.assertEqual((10.0, 5.0, 1.0), (row["c"], row["rust"], row["floor"]))
        self.assertEqual([0.5, 0.6], row["by_run"])
        self.assertEqual(0.5, row["ratio"])
        self.assertEqual(0.5, row["ratio_of_least"])
        self.assertEqual((2, 7), (row["runs"], row["rounds"]))
        self.assertIn("subscriptions=1", list(native.table([row]))[1])
