#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that a linked livepatch module can be taken out again without harm.

Before livepatch lets a disabled module go, it looks on every task's stack for
the new functions, and for nothing else of the module. That finds a task
wherever it sleeps below one of them, as long as the new function itself is on
the stack. A jump out of a new function (a tail call) takes it off: a task that
then sleeps in the module is not seen, and its code is freed under it.

So every jump of a new function must stay in it, or leave the module for good:
what it jumps to in the kernel returns to the function's caller. An indirect
jump could lead anywhere and is refused, also when it is spelled as a jump to
one of the kernel's thunks for indirect branches.

livepatch also takes the functions' sizes from the symbol table, so each must
have one.

And nothing in the module may panic: a panic of Rust code stops the machine.
Those that the optimiser could not rule out show as references to the library.

rustc does not look at the size of a stack frame, as the kernel's C compilers
are told to, so that is done here as well.
"""

import re
import subprocess
import sys
from pathlib import Path

LIVEPATCH_C = Path(__file__).resolve().parents[2] / "link/livepatch.c"

_SYMBOL = re.compile(r"^([0-9a-f]{16}) (.{7}) (\S+)\t([0-9a-f]{16}) (\S+)$", re.M)
_JUMP = re.compile(r"^\s*([0-9a-f]+):\s+(?:bnd |notrack |cs )*(j\w+|loop\w*)\s+(\S+)")
_PANIC = re.compile(r"4core\w*(9panicking|unwrap_failed|expect_failed|_fail$)")
_INDIRECT_THUNK = re.compile(r"^__x86_indirect_|_its_thunk")
_FUNCTION = re.compile(r"^[0-9a-f]+ <(\S+)>:$")
_FRAME = re.compile(r"\bsub\s+\$0x([0-9a-f]+),%rsp")
# Half of what CONFIG_FRAME_WARN allows on 64 bits: reclaim runs on top of a registration.
_FRAME_LIMIT = 1024
_RELOC = re.compile(r"^\s+([0-9a-f]+): R_X86_64_\w+\s+(\S+?)(?:[+-]0x[0-9a-f]+)?$")


def new_functions():
    """The names that link/livepatch.c gives to livepatch."""
    names = re.findall(r"^\tX\((\w+)\)", LIVEPATCH_C.read_text(), re.M)
    return [f"rust_{name}" for name in names]


def objdump(*args):
    return subprocess.run(["objdump", *args], check=True, text=True, stdout=subprocess.PIPE).stdout


def symbol_table(module):
    """Returns {name: (section, address, size, flags)}; an undefined one is in *UND*."""
    return {name: (section, int(address, 16), int(size, 16), flags)
            for address, flags, section, size, name in
            _SYMBOL.findall(objdump("--syms", str(module)))}


def jumps(module, section, start, size):
    """Yields (address, instruction, target) of a function; target is an address,
    the name a relocation gives, or None for an indirect jump."""
    listing = objdump("--disassemble", "--reloc", "--no-show-raw-insn", f"--section={section}",
                      f"--start-address={start}", f"--stop-address={start + size}", str(module))
    lines = listing.splitlines()
    for line, following in zip(lines, lines[1:] + [""]):
        jump = _JUMP.match(line)
        if not jump:
            continue
        reloc = _RELOC.match(following)
        if jump[3].startswith("*") or (reloc and _INDIRECT_THUNK.search(reloc[2])):
            target = None
        elif reloc:
            target = reloc[2]
        else:
            target = int(jump[3], 16)
        yield int(jump[1], 16), line.strip(), target


def frames(module):
    """Yields (function, bytes) for what each function takes off the stack at once."""
    function = None
    for line in objdump("--disassemble", "--no-show-raw-insn", str(module)).splitlines():
        if start := _FUNCTION.match(line):
            function = start[1]
        elif frame := _FRAME.search(line):
            yield function, int(frame[1], 16)


def complaints(module, names):
    """Yields what is wrong with the module whose new functions are `names`, one sentence each."""
    symbols = symbol_table(module)
    for name in names:
        section, start, size, flags = symbols.get(name, ("*UND*", 0, 0, ""))
        if section == "*UND*" or "F" not in flags or size == 0:
            yield f"{name} is not defined here as a function with a size"
            continue
        for address, text, target in jumps(module, section, start, size):
            if isinstance(target, int):
                if not start <= target < start + size:
                    yield f"{name} jumps out of itself: {text}"
            elif target is None:
                yield f"{name} has an indirect jump: {text}"
            elif symbols.get(target, ("",))[0] != "*UND*":
                yield f"{name} jumps to {target} of this module at {address:#x}"
    for function, size in frames(module):
        if size > _FRAME_LIMIT:
            yield f"{function} takes {size} bytes of stack; {_FRAME_LIMIT} are allowed"
    for name in filter(_PANIC.search, symbols):
        yield f"a Rust panic is possible: something refers to {name}"
    if not any(line.split()[1].startswith(".klp.rela.vmlinux.")
               for line in objdump("--section-headers", str(module)).splitlines()
               if len(line.split()) > 1):
        yield "no livepatch relocations: `objtool klp post-link` was not run"


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} MODULE.ko")
    names = new_functions()
    if not names:
        sys.exit(f"{LIVEPATCH_C}: the list of functions is not where it was")
    found = list(complaints(Path(sys.argv[1]), names))
    for text in found:
        print(f"{sys.argv[1]}: {text}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
