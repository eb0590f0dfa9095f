/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the kernel's side of the program and its user's side. Plain
 * types only: the two sides include headers of different worlds.
 */
#ifndef MMN_BENCH_SCENE_H
#define MMN_BENCH_SCENE_H

enum core {
	CORE_C,
	CORE_RUST,
	CORE_FLOOR,
	NR_CORES,
};

enum call {
	CALL_START_END,
	CALL_TEST_YOUNG,
	CALL_CLEAR_FLUSH_YOUNG,
	NR_CALLS,
};

/* On the kernel's side. */
void scene_enter_cpu(unsigned long offset);
void scene_begin(void);
void scene_subscribe_list(unsigned long subscriptions);
void scene_subscribe_intervals(unsigned long subscriptions, unsigned long overlapping);
void scene_call(enum core core, enum call call, unsigned long times);
unsigned long scene_callbacks(enum core core, enum call call);

/* On the user's side. */
void *user_alloc(unsigned long size);
void user_fail(const char *why) __attribute__((noreturn));

#endif /* MMN_BENCH_SCENE_H */
