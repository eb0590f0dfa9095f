/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MMN_BUILTIN_H
#define MMN_BUILTIN_H

/* In Rust: 0 or -ENOMEM. */
int mmn_builtin_init(void);
void mmn_builtin_late_init(void);

#endif /* MMN_BUILTIN_H */
