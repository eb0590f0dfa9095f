// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command with devices open, once all of them are there: their drivers cannot be unloaded
 * until it and its children have ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

int hold(char **words)
{
	for (; *words && strcmp(*words, "--"); words++)
		while (open(*words, O_RDWR) < 0) {
			if (!is_absent(errno)) {
				perror(*words);
				return 2;
			}
			pause_ms(1);
		}
	if (*words)
		execvp(words[1], words + 1);
	perror("no command");
	return 2;
}
