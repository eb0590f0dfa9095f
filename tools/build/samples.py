#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Builds the sample drivers with the interface crate: build/drivers/RELEASE/*.ko.

Kbuild works on a copy of the sources in build/drivers/RELEASE/kbuild, with W=1, and must be silent.
What is built from these sources already stays as it is.
"""

import shutil
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
from marks import Mark  # noqa: E402

_CRATE = Path("rust/mmu_notifier")
_SAMPLES = Path("samples")


def names():
    """The samples that are drivers."""
    return sorted(path.name for path in (TOP / _SAMPLES).iterdir()
                  if (path / f"{path.name}.rs").is_file())


def texts():
    """The sources of the crate and of the samples, as {path from TOP: text}."""
    folders = [TOP / _CRATE, *(TOP / _SAMPLES / name for name in names())]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(TOP): path.read_text()
            for path in sorted([TOP / _SAMPLES / "Kbuild", *paths])}


def build(kernel, out, clippy=False):
    """Builds for `kernel` in `out`, if it is not done; returns {name: path of the module}."""
    sources = texts()
    products = {name: out / f"{name}.ko" for name in names()}
    mark = Mark(out / "built", [str(kernel.objdir), _prepared(kernel), clippy,
                                {str(path): text for path, text in sources.items()}])
    if mark.holds() and all(path.exists() for path in products.values()):
        return products
    mark.clear()
    # Nobody shall test yesterday's modules after today's build failed.
    for old in out.glob("*.ko"):
        old.unlink()
    copy, log = out / "kbuild", out / "build.log"
    copy.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    kbuild.sync(copy, sources)
    kbuild.make(kernel, copy / _SAMPLES, log, clippy)
    for product in products.values():
        shutil.copyfile(copy / _SAMPLES / product.name, product)
    mark.set()
    return products


def _prepared(kernel):
    """What changes when the kernel is set up anew."""
    return (kernel.objdir / "rust/libkernel.rmeta").stat().st_mtime_ns


def folder(kernel):
    return project.BUILD / "drivers" / kernel.release


def built():
    """Returns {name: path of the module}, made up to date first."""
    kernel = kbuild.target()
    with lock.held("building the samples"):
        return build(kernel, folder(kernel))


def main():
    try:
        kernel = kbuild.target()
        print(f"  building {' '.join(names())} for {kernel.release}{kernel.whose} ...", flush=True)
        with lock.run("building the samples"):
            products = built()
    except (kbuild.BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\nsamples: not built")
    for product in products.values():
        print(f"  {product}")


if __name__ == "__main__":
    main()
