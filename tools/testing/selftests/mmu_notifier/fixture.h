/* SPDX-License-Identifier: GPL-2.0 */
/* The fixture most programs use: a session and an area of eight pages. */
#ifndef MNT_FIXTURE_H
#define MNT_FIXTURE_H

#include "harness.h"

#define AREA	8

FIXTURE(notifier) {
	int fd;
	char *area;
};

FIXTURE_SETUP(notifier)
{
	self->fd = mnt_open();
	ASSERT_LE(0, self->fd) TH_LOG("no /dev/mmu_notifier_test: load the module");
	self->area = area_map(AREA);
	for (unsigned int slot = 0; slot < MNT_SLOTS; slot++)
		mnt_behave(self->fd, slot, self->area, AREA * PAGE,
			   (struct mnt_behave){});
}

FIXTURE_TEARDOWN(notifier)
{
	ioctl(self->fd, MNT_OPEN_ALL, 0);
	close(self->fd);
	area_unmap(self->area, AREA);
}

/* Sets gates and refusals of a slot for the whole area. */
#define BEHAVE(slot, ...) \
	mnt_behave(self->fd, slot, self->area, AREA * PAGE, \
		   (struct mnt_behave){ __VA_ARGS__ })

#endif
