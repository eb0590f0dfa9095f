// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The code that runs inside the virtual machine, and the table it obeys.
//!
//! The guest runs in 32-bit protected mode without paging, so a guest address
//! is a guest-physical address. It walks the table of regions for ever; in a
//! region every cache line holds a generation and a tag:
//!
//! - `RUN`: check both words of every line, then store the next generation;
//! - `READ`: check only;
//! - `PAUSE`: leave the region alone.
//!
//! It acknowledges a command before it obeys it, so a host that sees `PAUSE`
//! acknowledged knows that no guest access to the region is under way and that
//! all earlier ones are done. After each walk it rings the doorbell. A word
//! that is not what it must be is reported at once, with its address, the
//! expected and the seen value in registers.

use std::arch::global_asm;

/// Where the code is loaded and starts.
pub const CODE: usize = 0x1000;
/// Where the table of regions lies; an entry whose base is 0 ends it.
pub const TABLE: usize = 0x2000;
/// Bytes of one table entry.
pub const ENTRY: usize = 64;
/// Entries that fit into the table's page, the end marker included.
pub const ENTRIES: usize = 4096 / ENTRY;

/// Offsets of the words of a table entry.
pub const BASE: usize = 0;
pub const LINES: usize = 4;
pub const TAG_MASK: usize = 8;
pub const COMMAND: usize = 12;
pub const ACK: usize = 16;
pub const GENERATION: usize = 20;
pub const SWEEPS: usize = 24;

/// Bytes of a line, and the offsets of the two words that are checked.
pub const LINE: usize = 64;
pub const LINE_GENERATION: usize = 0;
pub const LINE_TAG: usize = 4;
/// Bytes of a line that are checked.
pub const LINE_CHECKED: u64 = 8;

/// Commands.
pub const PAUSE: u32 = 1;
pub const READ: u32 = 2;
pub const RUN: u32 = 3;

/// Ports that the guest writes to.
pub const PORT_DOORBELL: u16 = 0x10;
pub const PORT_WRONG: u16 = 0x11;

global_asm!(
    r#"
    .pushsection .rodata.kvm_guest, "a"
    .code32
    .global kvm_guest_code_start
kvm_guest_code_start:
2:  mov     esi, {table}
3:  cmp     dword ptr [esi + {base}], 0
    je      9f
    mov     eax, [esi + {command}]
    mov     [esi + {ack}], eax
    cmp     eax, {pause}
    je      8f
    mov     edi, [esi + {base}]
    mov     ecx, [esi + {lines}]
    mov     ebp, [esi + {tag_mask}]
    mov     ebx, [esi + {generation}]
    xor     edx, edx
    cmp     eax, {read}
    je      5f

    lea     esp, [ebx + 1]
4:  mov     eax, [edi + {line_generation}]
    cmp     eax, ebx
    jne     20f
    mov     eax, edx
    and     eax, ebp
    cmp     [edi + {line_tag}], eax
    jne     21f
    mov     [edi + {line_generation}], esp
    add     edi, {line}
    inc     edx
    dec     ecx
    jnz     4b
    mov     [esi + {generation}], esp
    jmp     7f

5:  mov     eax, [edi + {line_generation}]
    cmp     eax, ebx
    jne     20f
    mov     eax, edx
    and     eax, ebp
    cmp     [edi + {line_tag}], eax
    jne     21f
    add     edi, {line}
    inc     edx
    dec     ecx
    jnz     5b

7:  inc     dword ptr [esi + {sweeps}]
8:  add     esi, {entry}
    jmp     3b
9:  out     {doorbell}, al
    jmp     2b

    /* eax: address, ebx: expected, ecx: seen */
20: mov     ecx, eax
    lea     eax, [edi + {line_generation}]
    jmp     22f
21: mov     ebx, eax
    mov     ecx, [edi + {line_tag}]
    lea     eax, [edi + {line_tag}]
22: out     {wrong}, al
    jmp     22b
    .code64
    .global kvm_guest_code_end
kvm_guest_code_end:
    .popsection
    "#,
    table = const TABLE,
    entry = const ENTRY,
    base = const BASE,
    lines = const LINES,
    tag_mask = const TAG_MASK,
    command = const COMMAND,
    ack = const ACK,
    generation = const GENERATION,
    sweeps = const SWEEPS,
    line = const LINE,
    line_generation = const LINE_GENERATION,
    line_tag = const LINE_TAG,
    pause = const PAUSE,
    read = const READ,
    doorbell = const PORT_DOORBELL,
    wrong = const PORT_WRONG,
);
