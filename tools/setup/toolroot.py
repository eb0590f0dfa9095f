# SPDX-License-Identifier: GPL-2.0
"""The toolchain root: Debian trixie with the compilers, QEMU and backports' index."""

import shutil
import subprocess
from pathlib import Path

import project
from marks import Mark
from progress import Step
from remove import remove

SUITE = "trixie"
# Inside the root: renaming the root into place completes both.
_MARK = "etc/mmu-notifier-toolroot"
_PACKAGES = Path(__file__).with_name("packages.txt")

# No mirror is named: mmdebstrap writes its default one into sources.list, and
# the backports line is that one with the suite's name rewritten.
_ADD_BACKPORTS = (
    f'sed -n "s/ {SUITE} / {SUITE}-backports /p" "$1/etc/apt/sources.list" | head -n 1'
    ' > "$1/etc/apt/sources.list.d/backports.list"'
    ' && test -s "$1/etc/apt/sources.list.d/backports.list"'
)
# A root that is made anew in a minute needs no fsync after each file, no manuals.
_DPKG = ("force-unsafe-io", *(f"path-exclude=/usr/share/{name}/*"
                              for name in ("doc", "info", "locale", "man")))
_NO_NETWORK = "If the package index could not be fetched, is there a network? Then: `make setup`."


def packages() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in _PACKAGES.read_text().splitlines())
    return sorted(line for line in lines if line)


def _proxies() -> list[str]:
    """The host's apt proxies serve the toolchain root too."""
    if not shutil.which("apt-config"):
        return []
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    lines = dump.stdout.splitlines()
    return [f"--aptopt={line}" for line in lines
            if line.startswith("Acquire::") and "::Proxy" in line and '""' not in line]


def bootstrap(target, packages, *more) -> list[str]:
    """The command that makes a Debian with backports' index and `packages` in `target`."""
    return [
        *project.private_mounts(), "mmdebstrap", "--mode=root", "--variant=apt",
        "--include=" + ",".join(packages),
        "--aptopt=Acquire::Retries \"3\"", "--aptopt=Acquire::http::Timeout \"30\"",
        *_proxies(), f"--setup-hook={_ADD_BACKPORTS}", *more, SUITE, str(target),
    ]


def mark() -> Mark:
    return Mark(project.toolroot() / _MARK, [SUITE, packages(), _ADD_BACKPORTS, _DPKG])


def ensure() -> None:
    if mark().holds():
        return
    fresh = project.BUILD / "toolroot.new"
    with Step("toolchain root", project.LOGS / "toolroot.log", "about a minute") as step:
        remove(fresh)
        command = bootstrap(fresh, packages(), *(f"--dpkgopt={option}" for option in _DPKG),
                            '--customize-hook=: > "$1/etc/resolv.conf"')
        step.run(subprocess.Popen, command, hint=_NO_NETWORK)
        mark().write_into(fresh / _MARK)
        stale = project.BUILD / "toolroot.old"
        remove(stale)
        if project.toolroot().exists():
            project.toolroot().rename(stale)
        fresh.rename(project.toolroot())
        remove(stale)
