# SPDX-License-Identifier: GPL-2.0
"""Who may change what in a checkout, and for how long.

Two locks, taken in this order: run() is for what uses the checkout as a whole, for as long as it
does: a run with guests, or what would pull something from under one. held() is for changing what
is set up and built.
"""

import fcntl
import os
import sys
from contextlib import contextmanager

import project
from progress import say

_RUN = project.BUILD / ".run"
_CHANGE = project.BUILD / ".lock"
# They outlive `make clean`, which holds them.
NAMES = {path.name for path in (_RUN, _CHANGE)}


def _take(lock) -> bool:
    """Locks the open file; false when distclean removed it while we waited."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        say(f"another make is at work in this checkout ({lock.read().strip()}): waiting for it")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except KeyboardInterrupt:
            sys.exit("interrupted; nothing was done")
    return os.fstat(lock.fileno()).st_nlink > 0


@contextmanager
def _exclusive(path, purpose: str):
    while True:
        project.BUILD.mkdir(exist_ok=True)
        with path.open("a+") as lock:
            if not _take(lock):
                continue
            lock.truncate(0)
            lock.write(f"process {os.getpid()}: {purpose}")
            lock.flush()
            # A child that survives us may still write here: it keeps the lock.
            os.set_inheritable(lock.fileno(), True)
            yield
            return


def run(purpose: str):
    """Waits until nothing else uses this checkout, saying so."""
    return _exclusive(_RUN, purpose)


def held(purpose: str):
    """Waits until nothing else sets up or builds in this checkout, saying so."""
    return _exclusive(_CHANGE, purpose)
