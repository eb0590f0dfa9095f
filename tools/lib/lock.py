# SPDX-License-Identifier: GPL-2.0
"""One make at a time in a checkout."""

import fcntl
import os
from contextlib import contextmanager

import project
from progress import say


@contextmanager
def held(purpose: str):
    """Waits for another make in this checkout to finish, saying so."""
    project.BUILD.mkdir(exist_ok=True)
    with (project.BUILD / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"another make is at work in this checkout ({lock.read().strip()}): waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"process {os.getpid()}: {purpose}")
        lock.flush()
        # A child that survives us may still write here: it keeps the lock.
        os.set_inheritable(lock.fileno(), True)
        yield
