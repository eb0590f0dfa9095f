# SPDX-License-Identifier: GPL-2.0
"""The debug kernels: built once from the kernel's own source, with either core linked in."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import project
import source
from known import KNOWN
from marks import Mark
from progress import Failed, Step

NAMES = ("debug", "kcsan")
CORES = ("c", "rust")

_HERE = Path(__file__).resolve().parent
_OUT = project.BUILD / "debug"
_BUILD_TOOLS = ("rustc", "bindgen", "clang", "lld", "llvm", "gcc", "libelf-dev")
_CHOICE = {"c": "CONFIG_MMU_NOTIFIER_C", "rust": "CONFIG_MMU_NOTIFIER_RUST"}
_SETTING = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class DebugKernel(project.Kernel):
    """A kernel of ours that watches itself; what is built for a Kernel is built for it as well."""

    name: str
    core: str

    patience = 8

    @property
    def known(self):
        return KNOWN.get(self.name, ())

    @property
    def directory(self):
        return _OUT / self.name

    @property
    def source(self):
        return source.DIRECTORY

    @property
    def vmlinuz(self):
        """The uncompressed kernel: QEMU boots it by its PVH entry."""
        return self.directory / f"vmlinux-{self.core}"


def built(name, core):
    """Returns the kernel, made up to date first; the caller holds a lock, for changes or the run."""
    fresh = source.ensure()
    wanted = _fragment(name)
    directory = _OUT / name
    objdir = directory / "obj"
    prepared = Mark(directory / "prepared", [fresh.digest, wanted, _tool_versions(),
                                             str(project.TOP)])
    linked = Mark(directory / f"linked-{core}", [prepared.digest, core])
    if not (prepared.holds() and linked.holds()):
        if not prepared.holds():
            for stale in directory.glob("linked-*"):
                stale.unlink()
        prepared.clear()
        linked.clear()
        _build(name, core, objdir, wanted)
        prepared.set()
        linked.set()
    return DebugKernel(_release(objdir), name, core)


def _fragment(name):
    return "".join((_HERE / f"{part}.config").read_text() for part in ("common", name))


def _build(name, core, objdir, wanted):
    log = project.LOGS / f"{name}-kernel.log"
    objdir.mkdir(parents=True, exist_ok=True)
    # Whoever builds modules there need not know which compiler it takes.
    (objdir / "GNUmakefile").write_text("export LLVM := 1\ninclude Makefile\n")
    with Step(f"{name} kernel, core in {core}", log, "about 12 min the first time") as step:
        _configure(step, objdir, wanted + f"{_CHOICE[core]}=y\n")
        _make(step, objdir, f"-j{len(os.sched_getaffinity(0))}", "vmlinux", "modules")
        root = objdir.parent / "root"
        shutil.rmtree(root, ignore_errors=True)
        _make(step, objdir, f"INSTALL_MOD_PATH={root}", "modules_install")
    shutil.copyfile(objdir / "vmlinux", objdir.parent / f"vmlinux-{core}")


def _configure(step, objdir, wanted):
    """Whatever is not wanted stays off, and what is wanted must be on."""
    fragment = objdir.parent / "wanted.config"
    fragment.write_text(wanted)
    _make(step, objdir, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
    got = dict(_SETTING.findall((objdir / ".config").read_text()))
    wrong = [f"{symbol} is {got.get(symbol, 'n')}, not {value}"
             for symbol, value in _SETTING.findall(wanted) if got.get(symbol) != value]
    if wrong:
        raise Failed(f"the configuration in {objdir} lacks what was asked of it:\n"
                     + "\n".join(wrong))


def _make(step, objdir, *arguments):
    step.run(project.inside_popen,
             ["make", "-C", source.DIRECTORY, f"O={objdir}", "LLVM=1", *arguments])


def _release(objdir):
    return (objdir / "include/config/kernel.release").read_text().strip()


def _tool_versions():
    return project.inside(["dpkg-query", "-W", *_BUILD_TOOLS], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
