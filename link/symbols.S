/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbols of the running kernel that it does not export.
 *
 * livepatch resolves them at load: a symbol named .klp.sym.vmlinux.NAME,0 is
 * looked up in the kernel's symbol table, where it must be unique (the 0), and
 * written to the places that the section .klp.rela.vmlinux.* lists. No linker
 * can make such a section, so the places are listed in __klp_relocs.vmlinux
 * (struct klp_reloc of objtool) and `objtool klp post-link` moves them over
 * when the module is linked. It wants an ordinary relocation in the place as
 * well, which it disarms.
 *
 * Every name used here must stand in livepatch.symvers too, where modpost
 * looks it up without its first dot.
 */

#include <linux/linkage.h>

/* The R_X86_64_* types of <asm/elf.h>, which is not for assembler. */
#define RELOC_64	1
#define RELOC_PLT32	4

/* offset, symbol and type of one struct klp_reloc */
.macro klp_reloc place, name, addend, type
	.pushsection __klp_relocs.vmlinux, "a", @progbits
	.quad	\place
	.quad	".klp.sym.vmlinux.\name,0" + \addend
	.long	\type
	.long	0
	.popsection
.endm

/* A constant pointer `label` to the kernel's data `name`. */
.macro klp_pointer label, name
	.pushsection .klp_pointers, "a", @progbits
	.balign 8
	.globl	\label
	.type	\label, @object
	.size	\label, 8
\label:
.Lklp_\name:
	.quad	".klp.sym.vmlinux.\name,0"
	.popsection
	klp_reloc .Lklp_\name, \name, 0, RELOC_64
.endm

/*
 * A function `label` that is the kernel's function `name`.
 *
 * It jumps, it never calls through a pointer: at boot the kernel seals the
 * ENDBR of every function whose address it does not take itself, so that an
 * indirect call from outside faults on processors with IBT.
 */
.macro klp_function label, name
SYM_FUNC_START(\label)
	jmp	".klp.sym.vmlinux.\name,0"
.Lklp_\name:
SYM_FUNC_END(\label)
	/* the operand is the last four bytes, relative to the end */
	klp_reloc .Lklp_\name-4, \name, -4, RELOC_PLT32
.endm

	.text
	klp_function	mmn_mm_take_all_locks, mm_take_all_locks
	klp_function	mmn_mm_drop_all_locks, mm_drop_all_locks
	klp_function	mmn_klp_find_ops, klp_find_ops

	klp_pointer	mmn_global_srcu, srcu
	klp_pointer	mmn_btf_start, __start_BTF
	klp_pointer	mmn_btf_stop, __stop_BTF
