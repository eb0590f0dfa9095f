// SPDX-License-Identifier: GPL-2.0
/* A breakpoint is put into a program's text, and taken out again. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "area.h"
#include "knob.h"

#define TRACING		"/sys/kernel/tracing/"
#define NAME		"/tmp/disk/text"
#define GROUP		"mmu_notifier_coverage"
#define NOP		0x90
#define BREAKPOINT	0xcc
/* The first page is not probed. */
#define SIZE		(2 * PAGE)
#define PROBED		PAGE

static int append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	ssize_t done = fd < 0 ? -1 : write(fd, line, strlen(line));

	if (fd >= 0)
		close(fd);
	return done == (ssize_t)strlen(line) ? 0 : -1;
}

FIXTURE(uprobe) {
	unsigned char *text;
};

FIXTURE_SETUP(uprobe)
{
	static unsigned char nops[SIZE];
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	ASSERT_LE(0, fd) TH_LOG(NAME ": %s", strerror(errno));
	memset(nops, NOP, SIZE);
	ASSERT_EQ(SIZE, pwrite(fd, nops, SIZE, 0));
	self->text = mmap(NULL, SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, self->text);
	close(fd);
	secondary_map(self->text, SIZE);
	secondary_touch_read(self->text, SIZE);
	ASSERT_DONE(append(TRACING "uprobe_events", "p:" GROUP "/nop " NAME ":0x1000"));
}

FIXTURE_TEARDOWN(uprobe)
{
	knob_write(TRACING "events/" GROUP "/enable", "0");
	EXPECT_EQ(0, append(TRACING "uprobe_events", "-:" GROUP "/nop"));
	unlink(NAME);
}

/*
 * The text with the breakpoint is a page of this process alone, which goes
 * when the breakpoint does.
 * Reaches mm/memory.c:wp_page_copy, kernel/events/uprobes.c:uprobe_write
 */
TEST_F(uprobe, breakpoint)
{
	unsigned char *probed = self->text + PROBED;

	ASSERT_DONE(knob_write(TRACING "events/" GROUP "/enable", "1"));
	ASSERT_EQ(BREAKPOINT, *probed);
	secondary_agrees(self->text, SIZE);
	secondary_touch_read(self->text, SIZE);
	ASSERT_DONE(knob_write(TRACING "events/" GROUP "/enable", "0"));
	ASSERT_EQ(NOP, *probed);
	secondary_dropped(probed, PAGE);
	secondary_flushed(probed, PAGE);
	secondary_agrees(self->text, SIZE);
}

TEST_HARNESS_MAIN
