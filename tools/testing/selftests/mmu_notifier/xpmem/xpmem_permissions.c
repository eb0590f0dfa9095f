// SPDX-License-Identifier: GPL-2.0
/* Who gets a permit: as for System V IPC objects. To be run by root. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xpmem_expect.h"

#define OWNER	1000
#define OTHER	2000
#define GROUP	3000
#define NOBODY	65534

/* One process exports with a mode, another asks for a permit. */
FIXTURE(permissions) {
	struct peer exporter, caller;
	int theirs, fd;
	char *area;
};

FIXTURE_SETUP(permissions)
{
	if (geteuid())
		SKIP(return, "needs root to become others");
	ASSERT_EQ(0, chmod(XPMEM_DEVICE, 0666));
	peer_start(&self->exporter);
	peer_start(&self->caller);
	self->area = peer_map(&self->exporter, PAGES);
}

FIXTURE_TEARDOWN(permissions)
{
	peer_exit(&self->caller);
	peer_exit(&self->exporter);
}

/* Also gives up all capabilities, for others than root. */
static long become(struct peer *peer, long uid, long gid, long extra)
{
	long ret;

	*(gid_t *)peer->arg = (gid_t)extra;
	ret = peer_call(peer, SYS_setgroups, extra ? 1L : 0L, peer->arg);
	if (!ret)
		ret = peer_call(peer, SYS_setresgid, gid, gid, gid);
	return ret ? ret : peer_call(peer, SYS_setresuid, uid, uid, uid);
}

static void open_both(struct __test_metadata *_metadata, FIXTURE_DATA(permissions) *self)
{
	self->theirs = peer_open(&self->exporter);
	self->fd = peer_open(&self->caller);
	ASSERT_LE(0, self->theirs);
	ASSERT_LE(0, self->fd);
}

/* What the caller gets of a segment with this mode: r, rw or nothing. */
static const char *gets(FIXTURE_DATA(permissions) *self, unsigned int mode)
{
	int64_t segid = peer_make(&self->exporter, self->theirs, self->area, SIZE, mode);
	int64_t r = peer_get(&self->caller, self->fd, segid, XPMEM_RDONLY);
	int64_t rw = peer_get(&self->caller, self->fd, segid, XPMEM_RDWR);

	if (segid <= 0)
		return "no segment";
	if (r == -EACCES && rw == -EACCES)
		return "";
	if (r > 0 && rw == -EACCES)
		return "r";
	return r > 0 && rw > 0 ? "rw" : "something odd";
}

TEST_F(permissions, owner)
{
	ASSERT_EQ(0, become(&self->exporter, OWNER, OWNER, 0));
	ASSERT_EQ(0, become(&self->caller, OWNER, OTHER, 0));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0600));
	EXPECT_STREQ("r", gets(self, 0400));
	EXPECT_STREQ("", gets(self, 0200));
	/* The part for others is not for the owner. */
	EXPECT_STREQ("", gets(self, 0066));
	EXPECT_STREQ("r", gets(self, 0466));
	EXPECT_STREQ("", gets(self, 0177));
}

TEST_F(permissions, group)
{
	ASSERT_EQ(0, become(&self->exporter, OWNER, GROUP, 0));
	ASSERT_EQ(0, become(&self->caller, OTHER, GROUP, 0));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0060));
	EXPECT_STREQ("r", gets(self, 0040));
	EXPECT_STREQ("", gets(self, 0606));
}

TEST_F(permissions, supplementary_group)
{
	ASSERT_EQ(0, become(&self->exporter, OWNER, GROUP, 0));
	ASSERT_EQ(0, become(&self->caller, OTHER, OTHER, GROUP));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0060));
	EXPECT_STREQ("", gets(self, 0606));
}

TEST_F(permissions, others)
{
	/* The exporter's being in the caller's group does not count. */
	ASSERT_EQ(0, become(&self->exporter, OWNER, OWNER, GROUP));
	ASSERT_EQ(0, become(&self->caller, OTHER, GROUP, 0));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0006));
	EXPECT_STREQ("r", gets(self, 0004));
	EXPECT_STREQ("", gets(self, 0660));
	EXPECT_STREQ("", gets(self, 0));
}

TEST_F(permissions, effective_user)
{
	ASSERT_EQ(0, become(&self->caller, OTHER, OTHER, 0));
	ASSERT_EQ(0, peer_call(&self->exporter, SYS_setresuid, (long)OWNER, (long)OTHER, -1L));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0600));
	ASSERT_EQ(0, peer_call(&self->exporter, SYS_setresuid, -1L, (long)OWNER, -1L));
	EXPECT_STREQ("", gets(self, 0600));
}

TEST_F(permissions, capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { .effective = ~0U, .permitted = ~0U },
						  { .effective = ~0U, .permitted = ~0U } };
	char *arg = self->caller.arg;

	ASSERT_EQ(0, become(&self->exporter, NOBODY, NOBODY, 0));
	open_both(_metadata, self);
	EXPECT_STREQ("rw", gets(self, 0));
	/* Root, without CAP_IPC_OWNER, is anybody. */
	memcpy(arg, &header, sizeof(header));
	ASSERT_EQ(0, peer_call(&self->caller, SYS_capget, arg, arg + 64));
	memcpy(caps, arg + 64, sizeof(caps));
	caps[0].effective &= ~(1U << CAP_IPC_OWNER);
	memcpy(arg + 64, caps, sizeof(caps));
	ASSERT_EQ(0, peer_call(&self->caller, SYS_capset, arg, arg + 64));
	EXPECT_STREQ("", gets(self, 0660));
	EXPECT_STREQ("r", gets(self, 0004));
}

TEST_HARNESS_MAIN
