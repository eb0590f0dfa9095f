#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make setup: the toolchain root and the chosen kernel, each stage done once."""

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import kernel
import lock
import preflight
import release
import toolroot
from progress import Failed, say

_HOW_TO_MOVE_ON = """\
This checkout keeps to that kernel. `make upgrade` moves on to the newest packaged
one; KVER=SERIES or KVER=RELEASE takes another for one command."""


def needed_disk(wanted: str, prepare: bool) -> int:
    """Megabytes that the stages still to be done will take."""
    if not toolroot.mark().holds():
        # The kernel's marks depend on the root's packages: count it too.
        return preflight.TOOLROOT_MB + preflight.KERNEL_MB
    choice = release.remembered().get(wanted)
    stages = choice and kernel.marks(choice)[:2 if prepare else 1]
    return 0 if stages and all(mark.holds() for mark in stages) else preflight.KERNEL_MB


def set_up(wanted: str, upgrade: bool, explain: bool, prepare: bool = True) -> None:
    """Does what is missing; without `prepare` only what the kernel's source and image need."""
    begin = time.monotonic()
    preflight.check_path()
    preflight.check_namespaces()
    # The kernel that an upgrade leaves behind may be at work in a guest.
    unused = lock.run("upgrade") if upgrade else contextlib.nullcontext()
    with unused, lock.held("setup"):
        preflight.check_disk(needed_disk(wanted, prepare))
        toolroot.ensure()
        choice = release.choose(wanted, upgrade)
        kernel.ensure(choice, prepare)
        kernel.drop_unused(one["release"] for one in release.remembered().values())
    say(f"Linux {choice['release']} (Debian {choice['version']}) is "
        f"{'set up' if prepare else 'unpacked'}"
        f" [{time.monotonic() - begin:.0f} s]")
    if explain:
        say(_HOW_TO_MOVE_ON)


def interrupt(*_signal) -> None:
    raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="choose the kernel anew")
    parser.add_argument("--explain", action="store_true", help="say how to choose another one")
    parser.add_argument("--unpack", action="store_true", help="its source and image, no more")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        set_up(os.environ.get("KVER", ""), options.upgrade, options.explain,
               not options.unpack)
    except (Failed, OSError) as failure:
        sys.exit(f"\nsetup: {failure}")
    except KeyboardInterrupt:
        sys.exit("\nsetup: interrupted; the same command goes on from the last completed stage")


if __name__ == "__main__":
    main()
