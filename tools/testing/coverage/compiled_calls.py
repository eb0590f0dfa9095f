# SPDX-License-Identifier: GPL-2.0
"""Finds every call of the core in the compiled code, and which functions of the source hold it.

The stock kernel comes without debug information. The files with calls in them are compiled again,
with the same compiler and configuration, so each return address of the running kernel (symbol and
offset) stands for the same place; that it does is checked while tracing (tracing.py).
"""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import project

_CORE = "__mmu_notifier_"
_HOOKS = {"invalidate_range_start": "range", "clear_flush_young": "clear_flush_young",
          "clear_young": "clear_young", "test_young": "test_young",
          "arch_invalidate_secondary_tlbs": "arch_invalidate_secondary_tlbs"}
_LOG_TAIL = 20


class CompileError(Exception):
    """The kernel's files cannot be compiled, or read once they are."""


@dataclass(frozen=True)
class Frame:
    """A function of the source, and the line in it where the next one in was called."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Instruction:
    """A call of the core: where it returns to, and the functions of the source, inmost first."""

    symbol: str
    offset: int
    hook: str
    frames: tuple


def option_left_out(kernel, file):
    """Returns the option without which a .c file is not in the kernel image, if it is off."""
    directory, _, name = file.rpartition("/")
    makefile = (kernel.source / directory / "Makefile").read_text().replace("\\\n", " ")
    found = re.search(rf"^\s*[\w-]+-(?:y|\$\((CONFIG_\w+)\))\s*[:+]?=(?:.*\s)?"
                      rf"{re.escape(name[:-2])}\.o(?:\s|$)", makefile, re.M)
    if found is None:
        raise CompileError(f"{directory}/Makefile does not tell what {name} depends on")
    config = (kernel.objdir / ".config").read_text()
    return None if found[1] is None or f"\n{found[1]}=y\n" in config else found[1]


def find(kernel, files, directory):
    """Compiles `files` and returns their calls of the core; works in `directory`."""
    objects = [f"{file[:-2]}.o" for file in files]
    with _objdir(kernel, directory) as objdir:
        _compile(kernel, objdir, objects, directory / "compile.log")
        return [instruction for name in objects
                for instruction in _instructions(kernel, objdir / name)]


@contextlib.contextmanager
def _objdir(kernel, directory):
    """A copy of the build folder, so that the one that modules are built against stays as it is."""
    copy = directory / "obj"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-a", kernel.objdir, copy], check=True)
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def _compile(kernel, objdir, objects, log):
    # By the path of the original: another one is in all commands, and everything would be made
    # anew. The mount is seen by this make alone.
    script = 'busybox mount --bind "$1" "$2" && shift 2 && exec "$@"'
    make = ["make", f"-j{len(os.sched_getaffinity(0))}", "-C", kernel.source,
            f"O={kernel.objdir}", f"KERNELRELEASE={kernel.release}", *objects]
    with log.open("wb") as output:
        done = project.inside(["sh", "-c", script, "sh", objdir, kernel.objdir, *make],
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        raise CompileError(f"the kernel's files did not compile, see {log}:\n" + "\n".join(tail))


def _tool(argv, stdin=None):
    return project.inside(argv, input=stdin, check=True, stdout=subprocess.PIPE, text=True).stdout


def _instructions(kernel, path):
    """The calls in one object file."""
    sections = re.split(r"^Disassembly of section (\S+):$", _tool(
        ["objdump", "-dr", "--no-show-raw-insn", path]), flags=re.M)[1:]
    for section, text in zip(sections[::2], sections[1::2]):
        jumps = [jump for jump in _jumps(text) if jump.hook]
        lines = _tool(["addr2line", "-a", "-i", "-f", "-j", section, "-e", path],
                      "".join(f"{jump.address:#x}\n" for jump in jumps)) if jumps else ""
        chains = re.split(r"^0x[0-9a-f]+\n", lines, flags=re.M)[1:]
        for jump, chain in zip(jumps, chains, strict=True):
            frames = tuple(_frames(kernel, chain))
            for symbol, offset in _returns_to(jump, text, path):
                yield Instruction(symbol, offset, jump.hook, frames)


@dataclass(frozen=True)
class _Jump:
    """A call or jump: in which symbol, where, and the hook or the symbol it goes to."""

    symbol: str
    base: int
    address: int
    behind: int
    is_call: bool
    hook: str | None
    target: str | None


def _jumps(text):
    """Yields the calls and jumps of a section, from its disassembly."""
    symbol, base = None, 0
    for part in re.split(r"\n(?=[0-9a-f]+ <)", text):
        head = re.match(r"\s*([0-9a-f]+) <(\S+)>:\n", part)
        if not head:
            continue
        base, symbol = int(head[1], 16), head[2]
        for found in re.finditer(
                r"^\s+([0-9a-f]+):\t(call|jmp)\s+[0-9a-f]+ <(\S+)>\s*\n"
                r"(?:\s+[0-9a-f]+: R_X86_64_\w+\t(\S+)-0x4\n)?(?=\s+([0-9a-f]+):|)", part, re.M):
            address, kind, near, far, behind = found.groups()
            hook = _HOOKS.get(far.removeprefix(_CORE)) if far and far.startswith(_CORE) else None
            yield _Jump(symbol, base, int(address, 16), int(behind or "0", 16), kind == "call",
                        hook, far or near)


def _returns_to(jump, text, path):
    """Where the core returns to: behind the call, or behind the calls of what jumps there."""
    if jump.is_call:
        return [(jump.symbol, jump.behind - jump.base)]
    local = {line.split()[-1] for line in _tool(["nm", path]).splitlines() if " t " in line}
    calls = [other for other in _jumps(text) if other.target == jump.symbol]
    if jump.symbol not in local or not calls or not all(call.is_call for call in calls):
        raise CompileError(f"{path}: who calls {jump.symbol}, that jumps to {jump.hook}?")
    return [(call.symbol, call.behind - call.base) for call in calls]


def _frames(kernel, text):
    lines = text.splitlines()
    for function, place in zip(lines[::2], lines[1::2]):
        found = re.match(rf"(?:{re.escape(str(kernel.source))}/)?(\S+?):(\d+)", place)
        if not found:
            raise CompileError(f"no line of the source for {function}: {place}")
        yield Frame(function, found[1].removeprefix("./"), int(found[2]))
