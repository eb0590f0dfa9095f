// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "khugepaged.h"
#include "mnt.h"

#define NAME		"khugepaged"
#define SETTINGS	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define HUGE		(2UL << 20)
#define TEXT		64
/* Only to end what hangs. */
#define SECONDS		30

static void give_up(const char *what)
{
	perror(what);
	exit(127);
}

static bool read_text(const char *path, char text[TEXT])
{
	FILE *file = fopen(path, "r");
	size_t size = file ? fread(text, 1, TEXT - 1, file) : 0;

	if (file)
		fclose(file);
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return size;
}

static unsigned long full_scans(void)
{
	char text[TEXT];

	if (!read_text(SETTINGS "full_scans", text))
		give_up(SETTINGS "full_scans");
	return strtoul(text, NULL, 10);
}

/* A process is on the daemon's list once it has touched what may be a huge page. */
static void enlist(void)
{
	char *area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || madvise(area, 2 * HUGE, MADV_HUGEPAGE) ||
	    madvise(area, 2 * HUGE, MADV_DONTFORK))
		give_up("a huge page");
	/* Reading gets the one that is zero for all. */
	*(volatile char *)(area + HUGE);
}

/* The daemon wakes when the time that it sleeps is set, to what it is, too. */
static void wake(void)
{
	char text[TEXT];

	if (!read_text(SETTINGS "scan_sleep_millisecs", text) ||
	    write_file(SETTINGS "scan_sleep_millisecs", text))
		give_up(SETTINGS "scan_sleep_millisecs");
}

/* Whether it sleeps in its own function, and not in one that it looks with. */
static bool sleeps(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool found = false;
	char path[64], text[TEXT];

	if (!proc)
		give_up("/proc");
	while (!found && (entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		if (!read_text(path, text) || strcmp(text, NAME))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/wchan", entry->d_name);
		found = read_text(path, text) && !strncmp(text, NAME, strlen(NAME));
	}
	closedir(proc);
	return found;
}

void khugepaged_sleeps(void)
{
	time_t end = time(NULL) + SECONDS;
	unsigned long before;

	enlist();
	before = full_scans();
	wake();
	while (full_scans() == before || !sleeps()) {
		if (time(NULL) > end) {
			fprintf(stderr, "khugepaged does not look at the memory and go to sleep\n");
			exit(127);
		}
		/* It was about to sleep when it was woken. */
		if (sleeps() && full_scans() == before)
			wake();
		sched_yield();
	}
}
