# SPDX-License-Identifier: GPL-2.0
"""Joins the person's terminal to a job that runs on a terminal in a guest."""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import tty

_END_OF_INPUT = b"\x04"
_LOOK_AT_JOB = 0.1


def show(content):
    """Prints what a job prints, unchanged."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def relay(job):
    """Passes keys to the job until it ends.

    The job must have been started with `show` as the taker of its output.
    """
    keys = sys.stdin.fileno()
    with _raw(keys), _resizes(job):
        while job.poll() is None:
            if keys is None:
                job.wait(timeout=None)
                return
            if select.select([keys], [], [], _LOOK_AT_JOB)[0]:
                typed = os.read(keys, 4096)
                job.write(typed or _END_OF_INPUT)
                if not typed:
                    keys = None


@contextlib.contextmanager
def _raw(keys):
    """Every key goes to the guest, Ctrl-C too; the old settings come back in any case."""
    if not os.isatty(keys):
        yield
        return
    settings = termios.tcgetattr(keys)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        tty.setraw(keys)
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, settings)
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def _resizes(job):
    def resize(*_):
        columns, rows = shutil.get_terminal_size()
        job.resize(rows, columns)

    resize()
    previous = signal.signal(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, previous)
