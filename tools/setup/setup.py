#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make setup: the toolchain root and the chosen kernel, each stage done once."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import kernel
import lock
import progress
import release
import toolroot


def main() -> None:
    wanted = os.environ.get("KVER", "")
    begin = time.monotonic()
    with lock.held("setup"):
        toolroot.ensure()
        choice = release.choose(wanted, anew="--upgrade" in sys.argv[1:])
        kernel.ensure(choice)
    progress.say(f"set up for Linux {choice['release']} (package version {choice['version']})"
                 f" in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except progress.Failed as failure:
        sys.exit(f"\nsetup: {failure}")
    except KeyboardInterrupt:
        sys.exit("\nsetup: interrupted; run it again to go on from the last completed stage")
