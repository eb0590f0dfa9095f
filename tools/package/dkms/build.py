#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Builds the module for a kernel of this machine: build.py RELEASE HEADERS OUT, called by DKMS.

Debian's headers lack what modules in Rust need, so that is made first, from
the kernel's source package; KDIR= names a build directory that has it already.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / "tools/lib"), str(TOP / "tools/build")]

import build_directory  # noqa: E402
import kbuild  # noqa: E402
import module  # noqa: E402
from progress import Failed  # noqa: E402

_SOURCES = Path("/usr/src")
# The kernel's sources and what is built of them, with some to spare.
_NEEDED = 3 << 30


def version_of(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout or None


def check_source(release, series):
    """Fails unless the source package is the one that the kernel was built from."""
    source, headers = (version_of(name) for name in
                       (f"linux-source-{series}", f"linux-headers-{release}"))
    if not headers:
        raise Failed(f"linux-headers-{release} is not installed")
    if source != headers:
        raise Failed(f"Linux {release} is of version {headers}, and linux-source-{series}"
                     f" {f'of {source}' if source else 'is not there'}: install"
                     f" linux-source-{series}={headers}, or move on to the newest kernel")


def check_space(folder):
    free = shutil.disk_usage(folder).free
    if free < _NEEDED:
        raise Failed(f"{folder} has {free >> 20} MB free, and the build needs {_NEEDED >> 20} for"
                     " some minutes: make room there")


def prepare(release, headers, folder):
    """Makes a build directory below `folder`."""
    series = ".".join(release.split(".")[:2])
    check_source(release, series)
    check_space(folder.parent)
    source = folder / "source"
    source.mkdir(parents=True)
    kbuild.on_the_host(["tar", "-xf", _SOURCES / f"linux-source-{series}.tar.xz",
                        "-C", source, "--strip-components=1"], check=True)
    build_directory.make(source, headers / ".config", headers / "Module.symvers",
                         folder / "objects", release,
                         lambda argv: kbuild.on_the_host(argv, check=True))
    build_directory.check(folder / "objects", release, kbuild.on_the_host)
    return folder / "objects"


def main():
    release, headers, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).resolve()
    ready = os.environ.get("KDIR")
    folder = Path("kernel").resolve()
    try:
        objdir = Path(ready) if ready else prepare(release, headers, folder)
        # A warning of a compiler helps nobody here, and should stop nobody.
        module.build(kbuild.OwnKernel(objdir), out, silent=False)
    finally:
        # DKMS keeps the folder of a build that failed.
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        main()
    except (Failed, kbuild.BuildFailed, subprocess.CalledProcessError) as error:
        sys.exit(f"mmu_notifier_rust: not built: {error}")
