# SPDX-License-Identifier: GPL-2.0
"""Makes of linked kernel code what a running kernel makes of it at boot.

That is on a processor of its own that needs neither retpolines nor return thunks: compare
apply_retpolines(), apply_returns(), apply_alternatives(), __static_call_transform() and
jump_label_init() in arch/x86/kernel, and ftrace's nops. The program was linked with
--emit-relocs, so a relocation tells what each call was meant for.
"""

import struct

_R_X86_64_PC32, _R_X86_64_PLT32 = 2, 4

_CALL, _JMP, _JMP8 = 0xe8, 0xe9, 0xeb
_NOPS = {2: bytes.fromhex("6690"), 3: bytes.fromhex("0f1f00"), 5: bytes.fromhex("0f1f440000")}
_JUMP_LENGTHS = {_JMP: 5, _JMP8: 2}
_RET = bytes.fromhex("c3cccccccc")
_REGISTERS = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
              "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
_CS = b"\x2e"

# Static calls that have one target for all of the life of a kernel that owns its processor.
_STATIC_CALLS = {
    "__SCT__queued_spin_unlock": bytes.fromhex("3e3ec60700"),   # ds ds movb $0, (%rdi)
    "__SCT__might_resched": bytes.fromhex("2e2e2e31c0"),        # cs cs cs xor %eax, %eax
    "__SCT__cond_resched": bytes.fromhex("2e2e2e31c0"),
}

# arch/x86/include/asm/cpufeatures.h, arch/x86/include/asm/alternative.h
_X86_FEATURE_XENPV = 8 * 32 + 16
_ALT_FLAG_NOT = 1
_ALTERNATIVE = struct.Struct("<iiHHBB")
# A user process may not mask interrupts, and takes a nop instead. (It may read the flags.)
_PRIVILEGED = {b"\xfa": b"\x90", b"\xfb": b"\x90"}


class Unpatchable(Exception):
    """The code has a form that is not known here."""


def indirect(opcode, register, length):
    """The call of, or jump to, what a register holds, in `length` bytes."""
    number = _REGISTERS.index(register)
    code = (b"\x41" if number >= 8 else b"") + bytes(
        (0xff, (0xd0 if opcode == _CALL else 0xe0) + number % 8))
    rest = length - len(code)
    return code + (_NOPS.get(rest, b"\x90" * rest) if opcode == _CALL else b"\xcc" * rest)


def _patch_branches(program):
    for relocation in program.relocations:
        place, name = relocation.place, relocation.symbol.name
        if relocation.kind not in (_R_X86_64_PC32, _R_X86_64_PLT32) or \
                program.offset(place) is None:
            continue
        opcode = program.code(place - 1, 1)[0]
        if opcode not in (_CALL, _JMP):
            continue
        if name.startswith("__x86_indirect_thunk_"):
            start = place - 2 if program.code(place - 2, 1) == _CS else place - 1
            program.patch(start, indirect(opcode, name.rpartition("_")[2], place + 4 - start))
        elif name == "__x86_return_thunk":
            if opcode != _JMP:
                raise Unpatchable("a return thunk is called")
            program.patch(place - 1, _RET)
        elif name == "__fentry__":
            program.patch(place - 1, _NOPS[5])
        elif name in _STATIC_CALLS and opcode == _CALL:
            program.patch(place - 1, _STATIC_CALLS[name])


def _patch_jump_labels(program):
    """What objtool does when it links a kernel: a jump that is not to be taken becomes a nop."""
    section = program.section("__jump_table")
    if not section:
        return
    for at, (code, _, key) in enumerate(struct.iter_unpack("<iiq", program.bytes_of(section))):
        address = section.address + 16 * at + code
        length = _JUMP_LENGTHS.get(program.code(address, 1)[0])
        # What is no jump is a module's, where objtool has been already.
        if key & 2 and length:
            program.patch(address, _NOPS[length])


def _patch_alternatives(program):
    """Returns the [address, address) of those that were left as they are."""
    section = program.section(".altinstructions")
    if not section:
        return []
    lengths, done = {}, set()
    rows = _ALTERNATIVE.iter_unpack(program.bytes_of(section))
    for at, (instruction, replacement, feature, flags, length, new_length) in enumerate(rows):
        entry = section.address + _ALTERNATIVE.size * at
        address = entry + instruction
        lengths[address] = length
        if (feature, flags) == (_X86_FEATURE_XENPV, _ALT_FLAG_NOT):
            code = program.code(entry + 4 + replacement, new_length)
            if code[0] in (_CALL, _JMP):
                raise Unpatchable("an alternative has a relative operand")
            program.patch(address, _PRIVILEGED.get(code, code) + b"\x90" * (length - new_length))
            done.add(address)
    return [(address, address + length) for address, length in lengths.items()
            if address not in done]


def patch(program):
    """Patches the program.

    Returns the [address, address) of instructions of which a kernel might make others: they
    should not be run.
    """
    _patch_branches(program)
    _patch_jump_labels(program)
    return _patch_alternatives(program)
