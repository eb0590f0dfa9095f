#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Builds mmu_notifier_rust.ko, for the stock kernel that was set up or for KDIR.

Kbuild works on a copy of the sources in OUT/kbuild, with W=1, and must be
silent. Then the livepatch relocations are put in place and the result is
checked; only a module that passed becomes OUT/mmu_notifier_rust.ko.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import lock  # noqa: E402
import project  # noqa: E402

NAME = "mmu_notifier_rust.ko"
# The kernel's own image is not there to take the base types from; the module
# is complete without BTF of its own.
_EXPECTED = "Skipping BTF generation for "
_OF_THE_CALLING_MAKE = {"MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKELEVEL"}
_NEEDS = {
    "include/config/kernel.release": "not a kernel's build folder (O=)",
    "Module.symvers": "build the kernel, or copy the file of its headers package",
    "rust/libkernel.rmeta": "run `make modules_prepare` there with CONFIG_RUST=y",
    "tools/objtool/objtool": "run `make modules_prepare` there",
}


class BuildFailed(Exception):
    """The module cannot be built; the message is for the person at the terminal."""


def sources():
    """The files of the checkout that the module is made of, as paths from TOP."""
    names = [TOP / "Kbuild", *TOP.glob("*.rs")]
    for folder in ("rust", "link"):
        names += [path for path in (TOP / folder).rglob("*") if path.is_file()]
    return sorted(path.relative_to(TOP) for path in names)


def mutated(name, text, mutations):
    """The text of a source file with the mutations that are meant for it."""
    for file, old, new in mutations:
        if file == str(name):
            if text.count(old) != 1:
                raise BuildFailed(f"{file}: {text.count(old)} places match {old!r}, want one")
            text = text.replace(old, new)
    return text


def sync(out, mutations):
    """Makes OUT hold the sources; what did not change keeps its time stamp."""
    wanted = sources()
    for file, _, _ in mutations:
        if Path(file) not in wanted:
            raise BuildFailed(f"{file}: no such source file to mutate")
    for name in wanted:
        copy = out / name
        content = mutated(name, (TOP / name).read_text(), mutations)
        if not copy.is_file() or copy.read_text() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(content)
    for stale in set(out.glob("*.rs")) - {out / name for name in wanted}:
        stale.unlink()


def on_the_host(argv, **kwargs):
    """Runs argv as a make of its own: told to share the caller's jobs, make would not be silent."""
    env = {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLING_MAKE}
    return subprocess.run(argv, env=env, **kwargs)


@dataclass(frozen=True)
class OwnKernel:
    """A kernel build folder of the user's, with the user's own compilers."""

    objdir: Path
    start = staticmethod(on_the_host)

    @property
    def release(self):
        return (self.objdir / "include/config/kernel.release").read_text().strip()


@dataclass(frozen=True)
class StockKernel:
    """The kernel that was set up, with the compilers of the toolchain root."""

    objdir: Path
    release: str
    start = staticmethod(project.inside)


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


def run(start, argv, log):
    """Runs argv by `start` and returns what it said on stderr."""
    done = start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with log.open("a") as out:
        out.write(f"$ {' '.join(map(str, argv))}\n{done.stdout}{done.stderr}")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
        raise BuildFailed(f"{tail}\n{argv[0]} failed; all of its output is in {log}")
    return done.stderr


def build(kernel, out, mutations=(), clippy=False):
    """Builds for `kernel` in `out`; returns the module's path.

    Each of `mutations` is (file, old text, new text): for tests that want a wrong module.
    """
    product, kbuild, log = out / NAME, out / "kbuild", out / "build.log"
    # Nobody shall test yesterday's module after today's build failed.
    product.unlink(missing_ok=True)
    kbuild.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    sync(kbuild, mutations)

    said = run(kernel.start, ["make", "-C", kernel.objdir, f"M={kbuild}",
                              f"KERNELRELEASE={kernel.release}", f"-j{os.cpu_count()}", "W=1",
                              *(["CLIPPY=1"] if clippy else []), "modules"], log)
    complaints = [line for line in said.splitlines() if not line.startswith(_EXPECTED)]
    if complaints:
        raise BuildFailed("the build must be silent, but said:\n" + "\n".join(complaints))

    linked = kbuild / "linked.ko"
    shutil.copyfile(kbuild / NAME, linked)
    run(kernel.start, [kernel.objdir / "tools/objtool/objtool", "klp", "post-link", linked], log)
    run(kernel.start, ["python3", TOP / "tools/build/check_livepatch.py", linked], log)
    os.replace(linked, product)
    return product


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="another folder to build in, for tests")
    parser.add_argument("--mutate", action="append", default=[], nargs=3,
                        metavar=("FILE", "OLD", "NEW"),
                        help="for tests: replace the one place of FILE that reads OLD")
    parser.add_argument("--clippy", action="store_true", help="let clippy look at them as well")
    args = parser.parse_args()
    try:
        kernel = target()
        whose = " with this machine's own compilers" if isinstance(kernel, OwnKernel) else ""
        print(f"  building {NAME} for {kernel.release}{whose} ...", flush=True)
        # A run uses the module, and builds others itself.
        in_use = contextlib.nullcontext() if args.out else lock.run("building the module")
        with in_use, lock.held("building the module"):
            product = build(kernel, (args.out or project.MODULE.parent).resolve(), args.mutate,
                            args.clippy)
    except (BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\nmodule: not built")
    print(f"  {product}")


if __name__ == "__main__":
    main()
