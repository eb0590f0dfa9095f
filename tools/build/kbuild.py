# SPDX-License-Identifier: GPL-2.0
"""Builds modules with the kernel's own build, in a copy of their sources, and wants it silent."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import project  # noqa: E402

# The kernel's own image is not there to take the base types from; a module is complete without BTF
# of its own.
_EXPECTED = "Skipping BTF generation for "
_OF_THE_CALLING_MAKE = {"MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKELEVEL"}
_NEEDS = {
    "include/config/kernel.release": "not a kernel's build folder (O=)",
    "Module.symvers": "build the kernel, or copy the file of its headers package",
    "rust/libkernel.rmeta": "run `make modules_prepare` there with CONFIG_RUST=y",
    "tools/objtool/objtool": "run `make modules_prepare` there",
}


class BuildFailed(Exception):
    """A module cannot be built; the message is for the person at the terminal."""


def on_the_host(argv, **kwargs):
    """Runs argv as a make of its own: told to share the caller's jobs, make would not be silent."""
    env = {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLING_MAKE}
    return subprocess.run(argv, env=env, **kwargs)


@dataclass(frozen=True)
class OwnKernel:
    """A kernel build folder of the user's, with the user's own compilers."""

    objdir: Path
    start = staticmethod(on_the_host)
    whose = " with this machine's own compilers"

    @property
    def release(self):
        return (self.objdir / "include/config/kernel.release").read_text().strip()


@dataclass(frozen=True)
class StockKernel:
    """The kernel that was set up, with the compilers of the toolchain root."""

    objdir: Path
    release: str
    start = staticmethod(project.inside)
    whose = ""


def target():
    """The kernel that the environment's KDIR or KVER stands for."""
    if not os.environ.get("KDIR"):
        kernel = project.kernel()
        return StockKernel(kernel.objdir, kernel.release)
    objdir = Path(os.environ["KDIR"]).resolve()
    for name, remedy in _NEEDS.items():
        if not (objdir / name).exists():
            raise BuildFailed(f"KDIR={objdir} has no {name}: {remedy}")
    return OwnKernel(objdir)


def sync(out, texts):
    """Makes OUT hold each of `texts` ({path: text}); what did not change keeps its time stamp.

    A Rust source that is not among them any more goes, or it might be found instead of another.
    """
    for name, text in texts.items():
        copy = out / name
        if not copy.is_file() or copy.read_text() != text:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text)
    for folder in {(out / name).parent for name in texts}:
        for stale in set(folder.glob("*.rs")) - {out / name for name in texts}:
            stale.unlink()


def run(start, argv, log):
    """Runs argv by `start` and returns what it said on stderr."""
    done = start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with log.open("a") as out:
        out.write(f"$ {' '.join(map(str, argv))}\n{done.stdout}{done.stderr}")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
        raise BuildFailed(f"{tail}\n{argv[0]} failed; all of its output is in {log}")
    return done.stderr


def make(kernel, folder, log, clippy=False, arguments=(), silent=True):
    """Builds the modules of the Kbuild file in `folder`, with W=1.

    Whatever it says is an error, unless it need not be `silent`.
    """
    said = run(kernel.start, ["make", "-C", kernel.objdir, f"M={folder}",
                              f"KERNELRELEASE={kernel.release}", f"-j{os.cpu_count()}", "W=1",
                              *(["CLIPPY=1"] if clippy else []), *arguments, "modules"], log)
    complaints = [line for line in said.splitlines() if not line.startswith(_EXPECTED)]
    if complaints and silent:
        # What is built already would be silent the next time.
        shutil.rmtree(folder)
        raise BuildFailed("the build must be silent, but said:\n" + "\n".join(complaints))
