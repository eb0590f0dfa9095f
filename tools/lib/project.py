# SPDX-License-Identifier: GPL-2.0
"""Where things are in this checkout, and how to run a command in the toolchain root."""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
RESULTS = BUILD / "results"
LOGS = BUILD / "logs"
MODULE = BUILD / "module" / "mmu_notifier_rust.ko"

_ENTER = TOP / "tools" / "setup" / "enter.sh"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of the caller's environment only this gets inside: a build must not depend
# on a stray ARCH= or MAKEFLAGS= of the shell it was started from.
_PASSED_ON = ("TERM", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


class SetupMissing(Exception):
    """The set-up has not been done; the message says how to do it."""


def toolroot() -> Path:
    """The Debian root that holds every compiler and QEMU."""
    return BUILD / "toolroot"


def private_mounts() -> list[str]:
    """Command prefix: as root of a mount namespace that leaks nothing."""
    command = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        # uid 0 inside is the caller, the others are its subordinate ids.
        command += ["--user", "--map-root-user", "--map-auto"]
    return command + ["--"]


def host_environment() -> dict[str, str]:
    """The environment for commands in the toolchain root."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return env | {"PATH": _PATH, "HOME": "/tmp", "LC_ALL": "C.UTF-8"}


def _enter(argv, cwd, env, binds, root):
    root = Path(root or toolroot())
    if not (root / "usr").is_dir():
        raise SetupMissing("the toolchain root is missing: run `make setup`")
    binds = ":".join(str(path) for path in (TOP, *binds))
    argv = [str(arg) for arg in argv]
    command = [*private_mounts(), _ENTER, root, Path(cwd or TOP).resolve(), binds, *argv]
    return [str(part) for part in command], host_environment() | (env or {})


def inside(argv, cwd=None, env=None, binds=(), root=None, **kwargs) -> subprocess.CompletedProcess:
    """Runs argv in the toolchain root, like subprocess.run.

    This checkout has the same path inside, and so has each directory in
    `binds`. `env` adds to a clean environment. /tmp is a fresh tmpfs.
    """
    command, env = _enter(argv, cwd, env, binds, root)
    return subprocess.run(command, env=env, **kwargs)


def inside_popen(argv, cwd=None, env=None, binds=(), root=None, **kwargs) -> subprocess.Popen:
    """Starts argv in the toolchain root; the process is argv's own."""
    command, env = _enter(argv, cwd, env, binds, root)
    return subprocess.Popen(command, env=env, **kwargs)


@dataclass(frozen=True)
class Kernel:
    """A stock kernel, unpacked and prepared for building modules against it."""

    release: str

    # The core it keeps to, if it cannot be live-patched.
    core = None
    # How many times longer than on the stock kernel things may take.
    patience = 1
    # Complaints of its log that are no finding, as regular expressions.
    known = ()

    @property
    def directory(self) -> Path:
        return BUILD / "kernel" / self.release

    @property
    def source(self) -> Path:
        return self.directory / "source"

    @property
    def objdir(self) -> Path:
        return self.directory / "obj"

    @property
    def modules(self) -> Path:
        return self.directory / "root" / "lib" / "modules" / self.release

    @property
    def vmlinuz(self) -> Path:
        return self.modules / "vmlinuz"


def choices_file() -> Path:
    """Which release each KVER= of this checkout stands for."""
    return BUILD / "kernel" / "choices.json"


_in_use: list[Kernel] = []


@contextlib.contextmanager
def using(other: Kernel):
    """In a `with` block, kernel() is another one than the stock kernel."""
    _in_use.append(other)
    try:
        yield
    finally:
        _in_use.pop()


def kernel() -> Kernel:
    """The kernel at work: that of using(), or else the one that KVER= stands for."""
    return _in_use[-1] if _in_use else stock_kernel()


def stock_kernel() -> Kernel:
    """The kernel that KVER= of the environment, or its absence, stands for."""
    wanted = os.environ.get("KVER", "")
    try:
        choice = json.loads(choices_file().read_text())[wanted]
    except (FileNotFoundError, KeyError):
        argument = f" KVER={wanted}" if wanted else ""
        raise SetupMissing(f"this kernel is not set up: run `make setup{argument}`") from None
    return Kernel(choice["release"])
