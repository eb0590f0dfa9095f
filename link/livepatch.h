/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the core in Rust and the kernel it is loaded into.
 */
#ifndef MMN_LINK_LIVEPATCH_H
#define MMN_LINK_LIVEPATCH_H

#include <linux/mm_types.h>
#include <linux/srcu.h>
#include <linux/types.h>

/* In C, called by Rust. */

/* Redirects the 18 functions; only the last step of the module's init. */
int mmn_livepatch_enable(void);

/* The kernel's own, not exported; reached through link/symbols.S. */
int mmn_mm_take_all_locks(struct mm_struct *mm);
void mmn_mm_drop_all_locks(struct mm_struct *mm);
extern struct srcu_struct *const mmn_global_srcu;
extern const unsigned char *const mmn_btf_start;
extern const unsigned char *const mmn_btf_stop;

/*
 * In Rust, called by C. The first two by livepatch, with klp_mutex held, never
 * at the same time; the third at any time.
 */
#ifndef __BINDGEN__
void mmn_go_native(void);
void mmn_go_compatible(void);
bool mmn_mode_is_native(void);
#endif

#endif /* MMN_LINK_LIVEPATCH_H */
