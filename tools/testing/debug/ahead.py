#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""ahead.py KERNEL CORE: builds a debug kernel, for those who will need it next.

Guests leave processors idle for a good part of their time; a kernel is built in what they leave.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1] / "lib"), str(_HERE.parents[1] / "setup")]

import kernels  # noqa: E402
import project  # noqa: E402
from progress import say  # noqa: E402

_PR_SET_PDEATHSIG = 1


@contextmanager
def built_meanwhile(name, core, end):
    """Builds the kernel during the block, and after it to the end, or until the time `end`.

    Why one cannot be built is told to who asks for it next, by `kernels.built()`. The caller holds
    the run lock, and the source is up to date; nobody else builds in that kernel's folder.
    """
    log = project.LOGS / f"{name}-ahead.log"
    say(f"  {name} kernel, core in {core}: built meanwhile; {log}")
    with log.open("w") as out:
        # The run lock's descriptor is inherited: a build that survives us keeps it.
        process = subprocess.Popen([sys.executable, __file__, name, core],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   close_fds=False, start_new_session=True)
    try:
        yield
        if process.poll() is None:
            say(f"  {name} kernel: waiting for the rest of its build; {log}")
        process.wait(max(end - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        _stop(process)
    except BaseException:
        _stop(process)
        raise


def _stop(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _come_last():
    """Leaves the processors to whoever else wants them."""
    os.nice(19)
    # With autogroups each session gets an equal share, unless it is as nice itself.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


def _end_with_the_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _on_term(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _on_term)
    _end_with_the_parent()
    _come_last()
    kernels.built(*sys.argv[1:])
