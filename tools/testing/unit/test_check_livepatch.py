# SPDX-License-Identifier: GPL-2.0
"""The check of the linked module: what it must find, and what it must let pass."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import project

# A new function `entry` with each body, and what is wrong with it.
BODIES = {
    "ret": None,
    "jmp 1f; nop; 1: jne 1b; ret": None,
    "call other; ret": None,
    "jmp of_the_kernel": None,
    "jne of_the_kernel; ret": None,
    "jmp __x86_return_thunk": None,
    "jmp other": "jumps",
    "jne other; ret": "jumps",
    "jmp global_other": "jumps",
    "jmp elsewhere": "jumps to",
    "jmp *%rax": "indirect jump",
    "jmp *table(,%rax,8)": "indirect jump",
    "jmp *of_the_kernel(%rip)": "indirect jump",
    "jmp __x86_indirect_thunk_r11": "indirect jump",
    "jne __x86_indirect_jump_thunk_rax; ret": "indirect jump",
    "call __x86_indirect_thunk_r11; ret": None,
    "sub $0x400,%rsp; ret": None,
    "sub $0x408,%rsp; ret": "bytes of stack",
    "call _RNvNtCs0_4core9panicking5panic; ret": "panic",
    "call _RNvNtCs0_4core6option13unwrap_failed; ret": "panic",
}

SOURCE = """
	.text
	.type other, @function
other:	ret
	.size other, . - other
	.globl entry
	.type entry, @function
entry:	{body}
	.size entry, {size}
	.globl global_other
	.type global_other, @function
global_other: ret
	.size global_other, . - global_other
	.section .text.unlikely, "ax"
	.type elsewhere, @function
elsewhere: ret
	.size elsewhere, . - elsewhere
	.section .rodata
table:	.quad 0
	.section .klp.rela.vmlinux.{linked}, "a"
	.quad 0
"""


class CheckLivepatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (project.toolroot() / "usr").is_dir():
            raise unittest.SkipTest("needs the toolchain root")

    def verdict(self, body, size=". - entry", name="entry"):
        """What the check says of one assembled object."""
        script = (f"import sys; sys.path.insert(0, '{project.TOP}/tools/build')\n"
                  "import check_livepatch\n"
                  f"print(*check_livepatch.complaints(sys.argv[1], ['{name}']), sep='\\n')\n")
        with tempfile.TemporaryDirectory(dir=project.BUILD) as folder:
            source, module = Path(folder) / "entry.S", Path(folder) / "entry.o"
            source.write_text(SOURCE.format(body=body, size=size, linked=".text"))
            project.inside(["as", source, "-o", module], check=True)
            return project.inside(["python3", "-c", script, module], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout.strip()

    def test_jumps(self):
        for body, complaint in BODIES.items():
            with self.subTest(body):
                verdict = self.verdict(body)
                if complaint is None:
                    self.assertEqual(verdict, "")
                else:
                    self.assertIn(complaint, verdict)

    def test_not_a_function(self):
        self.assertIn("not defined", self.verdict("ret", size="0"))
        self.assertIn("not defined", self.verdict("ret", name="table"))
        self.assertIn("not defined", self.verdict("call missing; ret", name="missing"))
