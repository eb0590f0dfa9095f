/* SPDX-License-Identifier: GPL-2.0 */
/* A context in each model, and an area whose neighbours stay out of the way. */
#ifndef GRU_FIXTURE_H
#define GRU_FIXTURE_H

#include "harness.h"
#include "gru_user.h"

#define AREA	16
#define ENTRIES	64

FIXTURE(tlb) {
	int fd;
	char *area;
};

FIXTURE_VARIANT(tlb) {
	unsigned int model;
};

FIXTURE_VARIANT_ADD(tlb, range) {
	.model = GRU_MODEL_RANGE,
};

FIXTURE_VARIANT_ADD(tlb, flush) {
	.model = GRU_MODEL_FLUSH,
};

FIXTURE_SETUP(tlb)
{
	self->fd = gru_open(variant->model, ENTRIES);
	ASSERT_LE(0, self->fd) TH_LOG("/dev/gru: %s", strerror(errno));
	self->area = area_map(AREA);
}

FIXTURE_TEARDOWN(tlb)
{
	close(self->fd);
	area_unmap(self->area, AREA);
}

#endif
