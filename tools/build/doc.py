#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make doc`: the pages of Documentation/ in build/doc, and those of both crates below rust/."""

import re
import shutil
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import kbuild  # noqa: E402
import lock  # noqa: E402
import module  # noqa: E402
import pages  # noqa: E402
import project  # noqa: E402

CRATE = Path("rust/mmu_notifier")
_CORE = Path("mmu_notifier.rs")
_OUT = project.BUILD / "doc"
_RULES = Path(__file__).with_name("doc")
# How the kernel's own documentation links to its sources.
_SOURCE_LINK = re.compile(r'(?<=<a href=")srctree/([^"#]+)')


def _for_rustdoc(text):
    """The root of a crate, as rustdoc needs it.

    The kernel's build says on the command line that there is no std, which rustdoc does not hear.
    """
    return f"#![allow(unused_attributes)] #![no_std] {text}"


def crate():
    """The interface crate's sources, as {path from TOP: text}, in the way rustdoc needs them."""
    texts = {path.relative_to(TOP): path.read_text()
             for path in sorted((TOP / CRATE).rglob("*")) if path.is_file()}
    root = CRATE / "lib.rs"
    return texts | {root: _for_rustdoc(texts[root]),
                    Path("samples/Kbuild"): (TOP / "samples/Kbuild").read_text()}


def _core():
    """The same of the core."""
    texts = module.texts(())
    rules = {Path("Kbuild"): (_RULES / "core.mk").read_text(),
             Path("Kbuild.module"): texts.pop(Path("Kbuild"))}
    return texts | rules | {_CORE: _for_rustdoc(texts[_CORE])}


def build(kernel, out):
    """Writes the documentation of both crates, about which rustdoc must have nothing to say."""
    shutil.rmtree(out, ignore_errors=True)
    interface = crate() | {Path("doc/Kbuild"): (_RULES / "interface.mk").read_text()}
    _document(kernel, out, "mmu_notifier", interface, "doc")
    _document(kernel, out, "mmu_notifier_rust", _core(), ".")
    _link(out, (kernel.objdir / "source").resolve())


def _document(kernel, out, name, texts, folder):
    copy = out / "kbuild" / name
    kbuild.sync(copy, texts)
    kbuild.make(kernel, copy / folder, out / f"kbuild/{name}.log", arguments=[f"DOC={out}"])
    if not (out / name / "index.html").is_file():
        raise kbuild.BuildFailed(f"rustdoc wrote nothing of {name}")


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
        shutil.rmtree(_OUT, ignore_errors=True)
        build(kernel, _OUT / "rust")
        if said := pages.build(_OUT):
            raise kbuild.BuildFailed(said)
        return _OUT / "index.html"


def main():
    try:
        with lock.run("building the documentation"):
            print(f"  {built()}")
    except (kbuild.BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\ndoc: not built")


if __name__ == "__main__":
    main()
