# SPDX-License-Identifier: GPL-2.0
"""Runs commands of the toolchain root for what they print."""

import subprocess

import project


class Failed(Exception):
    """There are no figures; the message says why."""


def output(argv):
    """What argv prints; whatever it does otherwise than succeed is an error."""
    done = project.inside(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode or done.stderr:
        raise Failed(f"{' '.join(map(str, argv))}: {done.returncode}\n{done.stderr.decode()}")
    return done.stdout
