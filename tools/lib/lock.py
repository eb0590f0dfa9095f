# SPDX-License-Identifier: GPL-2.0
"""One make at a time in a checkout."""

import fcntl
import os
from contextlib import contextmanager

import project
from progress import say

_PATH = project.BUILD / ".lock"


def _take(lock) -> bool:
    """Locks the open file; false when distclean removed it while we waited."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        say(f"another make is at work in this checkout ({lock.read().strip()}): waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return os.fstat(lock.fileno()).st_nlink > 0


@contextmanager
def held(purpose: str):
    """Waits for another make in this checkout to finish, saying so."""
    while True:
        project.BUILD.mkdir(exist_ok=True)
        with _PATH.open("a+") as lock:
            if not _take(lock):
                continue
            lock.truncate(0)
            lock.write(f"process {os.getpid()}: {purpose}")
            lock.flush()
            # A child that survives us may still write here: it keeps the lock.
            os.set_inheritable(lock.fileno(), True)
            yield
            return
