# SPDX-License-Identifier: GPL-2.0
"""Links the kernel's objects and those of the module into programs of this machine.

There are several, which differ in where the code of each core begins within a cache line and
nothing else: which core that favours is chance.
"""

from pathlib import Path

import kbuild
import live_text
import project
from commands import Failed, output
from program import Program

_SOURCES = Path(__file__).resolve().parent
_OUT = project.BUILD / "native"
_KBUILD = _OUT / "kbuild"
_MODULE = project.MODULE.parent / "kbuild/mmu_notifier_rust.o"
# Of 16 bytes each, to which the kernel aligns functions: before C, and then before Rust.
_PADDING = ((0, 0), (1, 1), (2, 3), (3, 0))
LAYOUTS = len(_PADDING)

# Each other symbol that is undefined ends the program when it is called, saying its name.
_OF_LIBC = {"memchr", "memcmp", "memcpy", "memmove", "memset", "bcmp", "strlen"}
_OF_USER = {"user_alloc", "user_fail", "__kmalloc_cache_noprof"}
_OF_LINKER = {"const_current_task", "const_cpu_current_top_of_stack", "__ref_stack_chk_guard",
              ".klp.sym.vmlinux.srcu,0"}
# What only keeps others out, of whom there are none.
_QUIET = {"mm_take_all_locks", "mm_drop_all_locks", "percpu_down_write", "percpu_up_write",
          "mutex_lock", "mutex_unlock", "synchronize_rcu"}
# What may as well be zero: a secret.
_ZERO = {"get_random_u64"}


class Native:
    """One of the programs, and what to know about it."""

    def __init__(self, path, unpatched):
        self.path = path
        # [address, address) of code that the kernel would have changed
        self.unpatched = unpatched


def objects(kernel):
    """The objects of the C core and of all that both cores use."""
    return [*sorted(path for path in _KBUILD.glob("*.o")),
            kernel.objdir / "rust/helpers/helpers.o"]


def _compile(kernel):
    log = _OUT / "build.log"
    _KBUILD.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    names = ("Kbuild", "percpu.c", "scene.c", "scene.h")
    kbuild.sync(_KBUILD, {Path(name): (_SOURCES / name).read_text() for name in names})
    kbuild.make(kernel, _KBUILD, log)


def _stubs(names):
    """Assembler that defines each of `names`."""
    lines = ['.section .text.missing, "ax"', ".balign 16"]
    for index, name in enumerate(names):
        lines += [f'.globl "{name}"', f'"{name}":']
        if name.removeprefix(".klp.sym.vmlinux.").removesuffix(",0") in _QUIET | _ZERO:
            lines += ["xor %eax, %eax", "ret"]
        else:
            lines += [f"mov $name{index}, %edi", "call user_missing",
                      f'.pushsection .rodata; name{index}: .asciz "{name}"; .popsection']
    return "\n".join([*lines, '.section .note.GNU-stack, "", @progbits', ""])


def _assembled(name, text):
    source = _OUT / f"{name}.S"
    source.write_text(text)
    compiled = source.with_suffix(".o")
    output(["gcc", "-c", "-o", compiled, source])
    return compiled


def _padding(name, units):
    return _assembled(name, f".text\n.balign 16\n.rept {units}\n.skip 16, 0x90\n.endr\n"
                            '.section .note.GNU-stack, "", @progbits\n')


def _link(layout, c_and_common, stubs):
    before_c, before_rust = _PADDING[layout]
    linked, path = _OUT / "linked", _OUT / f"native-{layout}"
    output(["gcc", "-static", "-no-pie", "-Wl,--emit-relocs", "-Wl,--strip-debug",
            f"-Wl,-T,{_SOURCES / 'link.lds'}", "-o", linked, _OUT / "user.o",
            _padding("before-c", before_c), *c_and_common,
            _padding("before-rust", before_rust), _MODULE, stubs])
    program = Program.read(linked)
    unpatched = live_text.patch(program)
    path.unlink(missing_ok=True)
    path.write_bytes(program.data)
    path.chmod(0o755)
    return Native(path, unpatched)


def build(kernel, layouts=LAYOUTS):
    """Builds the programs of the first `layouts` layouts."""
    if not _MODULE.exists():
        raise Failed(f"{_MODULE} is missing: run `make module`")
    _compile(kernel)
    # Its SRCU domain is static, and the one that the core in Rust uses as well.
    core = _OUT / "mmu_notifier_c.o"
    output(["objcopy", "--globalize-symbol=srcu", _KBUILD / "mmu_notifier.o", core])
    c_and_common = [core, *(path for path in objects(kernel) if path.name != "mmu_notifier.o")]

    whole = _OUT / "whole.o"
    output(["ld", "-r", "-o", whole, *c_and_common, _MODULE])
    undefined = {line.split(maxsplit=1)[1] for line in
                 output(["nm", "--undefined-only", whole]).decode().splitlines()}
    stubs = _assembled("stubs", _stubs(sorted(undefined - _OF_LIBC - _OF_USER - _OF_LINKER)))
    output(["gcc", "-O2", "-Wall", "-Werror", "-fno-pie", "-c", "-o", _OUT / "user.o",
            _SOURCES / "user.c"])
    return [_link(layout, c_and_common, stubs) for layout in range(layouts)]
