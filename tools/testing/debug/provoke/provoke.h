/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROVOKE_H
#define PROVOKE_H

#include <linux/types.h>

/* subscriber.c */
void allocate_in_callback(void);
void unregister_with_callbacks_lock(void);

/* race.rs. Races are told of when a function of the core is in them: these pass for some. */
void mmn_provoke_rust_add(u64 *raced);
void mmn_provoke_rust_add_marked(u64 *raced);
void mmn_provoke_rust_read(const char *memory);

#endif
