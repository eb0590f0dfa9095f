/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the module and the kernel it is loaded into.
 */
#ifndef MMN_LINK_LIVEPATCH_H
#define MMN_LINK_LIVEPATCH_H

/* Redirects the 18 functions; only the last step of the module's init. */
int mmn_livepatch_enable(void);

/* The running kernel's type information; reached through symbols.S. */
extern const unsigned char *const mmn_btf_start;
extern const unsigned char *const mmn_btf_stop;

#endif /* MMN_LINK_LIVEPATCH_H */
