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
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402

NAME = "mmu_notifier_rust.ko"


def sources():
    """The files of the checkout that the module is made of, as paths from TOP."""
    names = [TOP / "Kbuild", *TOP.glob("*.rs")]
    for folder in ("rust", "link"):
        names += [path for path in (TOP / folder).iterdir() if path.is_file()]
    return sorted(path.relative_to(TOP) for path in names)


def mutated(name, text, mutations):
    """The text of a source file with the mutations that are meant for it."""
    for file, old, new in mutations:
        if file == str(name):
            if text.count(old) != 1:
                raise kbuild.BuildFailed(
                    f"{file}: {text.count(old)} places match {old!r}, want one")
            text = text.replace(old, new)
    return text


def texts(mutations):
    """The sources as {path from TOP: text}."""
    wanted = sources()
    for file, _, _ in mutations:
        if Path(file) not in wanted:
            raise kbuild.BuildFailed(f"{file}: no such source file to mutate")
    return {name: mutated(name, (TOP / name).read_text(), mutations) for name in wanted}


def build(kernel, out, mutations=(), clippy=False, silent=True):
    """Builds for `kernel` in `out`; returns the module's path.

    Each of `mutations` is (file, old text, new text): for tests that want a wrong module.
    Unless the build need not be `silent`, a warning is an error.
    """
    product, copy, log = out / NAME, out / "kbuild", out / "build.log"
    # Nobody shall test yesterday's module after today's build failed.
    product.unlink(missing_ok=True)
    copy.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    kbuild.sync(copy, texts(mutations))
    kbuild.make(kernel, copy, log, clippy, silent=silent)

    linked = copy / "linked.ko"
    shutil.copyfile(copy / NAME, linked)
    objtool = kernel.objdir / "tools/objtool/objtool"
    kbuild.run(kernel.start, [objtool, "klp", "post-link", linked], log)
    kbuild.run(kernel.start, ["python3", TOP / "tools/build/check_livepatch.py", linked], log)
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
        kernel = kbuild.target()
        print(f"  building {NAME} for {kernel.release}{kernel.whose} ...", flush=True)
        # A run uses the module, and builds others itself.
        in_use = contextlib.nullcontext() if args.out else lock.run("building the module")
        with in_use, lock.held("building the module"):
            product = build(kernel, (args.out or project.MODULE.parent).resolve(), args.mutate,
                            args.clippy)
    except (kbuild.BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\nmodule: not built")
    print(f"  {product}")


if __name__ == "__main__":
    main()
