#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make doc`: the documentation of the interface crate, in build/doc."""

import re
import shutil
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402

CRATE = Path("rust/mmu_notifier")
_OUT = project.BUILD / "doc"
_KBUILD = Path(__file__).with_name("doc") / "Kbuild"
# How the kernel's own documentation links to its sources.
_SOURCE_LINK = re.compile(r'(?<=<a href=")srctree/([^"#]+)')


def crate():
    """The crate's sources, as {path from TOP: text}, in the way rustdoc needs them.

    The kernel's build says on the command line that there is no std, which rustdoc does not hear.
    """
    texts = {path.relative_to(TOP): path.read_text()
             for path in sorted((TOP / CRATE).rglob("*")) if path.is_file()}
    root = CRATE / "lib.rs"
    return texts | {root: f"#![allow(unused_attributes)] #![no_std] {texts[root]}",
                    Path("samples/Kbuild"): (TOP / "samples/Kbuild").read_text()}


def build(kernel, out):
    """Writes the documentation, about which rustdoc must have nothing to say; returns its start."""
    copy, log = out / "kbuild", out / "build.log"
    shutil.rmtree(out, ignore_errors=True)
    copy.mkdir(parents=True)
    kbuild.sync(copy, crate() | {Path("doc/Kbuild"): _KBUILD.read_text()})
    kbuild.make(kernel, copy / "doc", log, arguments=[f"DOC={out}"])
    start = out / "mmu_notifier/index.html"
    if not start.is_file():
        raise kbuild.BuildFailed(f"rustdoc wrote no {start}")
    _link(out, (kernel.objdir / "source").resolve())
    return start


def _link(out, tree):
    """Makes links to the kernel's sources lead into `tree`."""
    def target(link):
        if not (tree / link[1]).exists():
            raise kbuild.BuildFailed(f"the documentation links to {link[1]}, not in the kernel")
        return f"{tree}/{link[1]}"

    for page in out.rglob("*.html"):
        text = page.read_text()
        if "srctree/" in text:
            page.write_text(_SOURCE_LINK.sub(target, text))


def built():
    """Returns where the documentation begins, written anew."""
    kernel = kbuild.target()
    with lock.held("building the documentation"):
        return build(kernel, _OUT)


def main():
    try:
        with lock.run("building the documentation"):
            print(f"  {built()}")
    except (kbuild.BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\ndoc: not built")


if __name__ == "__main__":
    main()
