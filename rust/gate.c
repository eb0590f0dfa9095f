// SPDX-License-Identifier: GPL-2.0

#include <linux/percpu-rwsem.h>

#include "gate.h"

static struct percpu_rw_semaphore gate;

int mmn_gate_init(void)
{
	return percpu_init_rwsem(&gate);
}

void mmn_gate_exit(void)
{
	percpu_free_rwsem(&gate);
}

void mmn_gate_read_lock(void)
{
	percpu_down_read(&gate);
}

void mmn_gate_read_unlock(void)
{
	percpu_up_read(&gate);
}

void mmn_gate_write_lock(void)
{
	percpu_down_write(&gate);
}

void mmn_gate_write_unlock(void)
{
	percpu_up_write(&gate);
}
