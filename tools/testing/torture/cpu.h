/* SPDX-License-Identifier: GPL-2.0 */
/* Loads and stores that tell when the processor has no access, instead of dying of it. */
#ifndef TORTURE_CPU_H
#define TORTURE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Once for the process, before the others. */
void cpu_prepare(void);

bool cpu_read(const void *address, uint64_t *value);
bool cpu_write(void *address, uint64_t value);

#endif
