/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/percpu-rwsem.h: the gate between registrations and a change of mode;
 * see mode.rs. Leaving write mode leaves an RCU callback behind, for which
 * mmn_gate_exit() waits: hence not DEFINE_STATIC_PERCPU_RWSEM, which cannot be
 * torn down.
 */
#ifndef MMN_GATE_H
#define MMN_GATE_H

int mmn_gate_init(void);
void mmn_gate_exit(void);
void mmn_gate_read_lock(void);
void mmn_gate_read_unlock(void);
void mmn_gate_write_lock(void);
void mmn_gate_write_unlock(void);

#endif /* MMN_GATE_H */
