# SPDX-License-Identifier: GPL-2.0
"""Builds the core as a part of a kernel, without building the rest of that kernel."""

import os
import re
import shutil
import subprocess

import project
import series
from progress import Failed

_C = "mm/mmu_notifier.o"
# What it defines besides: Rust's own names, the names of its C, and of that a tracepoint's parts.
_OURS = re.compile(r"_R|mmn_|__(tracepoint|traceiter|probestub|SC[KT]__tp_func)_mmn_")
_SILENT = re.compile(r"make(\[\d+\])?: |  \S+ +\S+|#|$")


def _objdir(name):
    return project.BUILD / "builtin" / name


def _make(tree, name, *targets, **kwargs):
    done = project.inside(
        ["make", "-C", tree, f"O={_objdir(name)}", f"-j{len(os.sched_getaffinity(0))}", *targets],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, **kwargs)
    with (project.LOGS / f"builtin-{name}.log").open("a") as log:
        log.write(done.stdout)
    if done.returncode:
        raise Failed(f"make {' '.join(targets)}: {done.stdout[-2000:]}")
    return done.stdout


def _configure(tree, name, options):
    """Debian's configuration with `options` ("RUST", "-KASAN"), each of which must come to hold."""
    objdir = _objdir(name)
    objdir.mkdir(parents=True, exist_ok=True)
    kernel = project.kernel()
    wanted = {option.lstrip("-"): "n" if option.startswith("-") else "y" for option in options}
    text = (kernel.directory / "stock" / "config").read_text()
    text += "".join(f"CONFIG_{option}={value}\n" for option, value in wanted.items())
    # A configuration that is the same is left alone, for make looks at its time.
    asked = objdir / "asked"
    if not asked.exists() or asked.read_text() != text:
        (objdir / ".config").write_text(text)
        _make(tree, name, "olddefconfig")
        asked.write_text(text)
    found = (objdir / ".config").read_text()
    for option, value in wanted.items():
        if (f"CONFIG_{option}=y\n" in found) != (value == "y"):
            raise Failed(f"{name}: the configuration will not have CONFIG_{option}={value}")


def build(tree):
    """Builds both cores with Debian's configuration and W=1, in silence; returns the folder."""
    name = "debian"
    _configure(tree, name, ["MMU_NOTIFIER_RUST", "-MMU_NOTIFIER_C"])
    _make(tree, name, "prepare")
    said = _make(tree, name, "W=1", f"{series.FOLDER}/", _C)
    noise = [line for line in said.splitlines() if not _SILENT.match(line)]
    if noise:
        shutil.rmtree(_objdir(name) / series.FOLDER)
        raise Failed(f"the build must be silent, but said: {' / '.join(noise)[:500]}")
    return _objdir(name)


def _symbols(*objects):
    """The global symbols that objects define, those that they export, and how many GPL only."""
    done = project.inside(["nm", *objects], stdout=subprocess.PIPE, text=True, check=True)
    names = re.findall(r"^[0-9a-f]+ [A-Z] (?!__pfx_)(\w+)$", done.stdout, re.MULTILINE)
    exported = re.findall(r" __export_symbol_(\w+)$", done.stdout, re.MULTILINE)
    gpl = 0
    for path in objects:
        section = project.inside(
            ["objcopy", "-O", "binary", "--only-section=.export_symbol",
             "--set-section-flags", ".export_symbol=alloc", path, "/dev/stdout"],
            stdout=subprocess.PIPE, check=True).stdout
        gpl += section.count(b"GPL\0")
    return {*names}, {*exported}, gpl


def same_interface(objdir):
    """Raises unless the core in Rust defines what the one in C does, and exports the same."""
    defined, exported, gpl = _symbols(*sorted((objdir / series.FOLDER).glob("*.o")))
    wanted, wanted_exports, wanted_gpl = _symbols(objdir / _C)
    missing = sorted(wanted - defined)
    if missing:
        raise Failed(f"not defined: {' '.join(missing)}")
    strange = sorted(name for name in defined - wanted if not _OURS.match(name))
    if strange:
        raise Failed(f"defined, and not by C: {' '.join(strange)}")
    if exported != wanted_exports or not exported:
        raise Failed(f"exported by one only: {' '.join(sorted(exported ^ wanted_exports))}")
    if not gpl == wanted_gpl == len(exported):
        raise Failed(f"{gpl} of {len(exported)} exports are for GPL modules only")


def nothing_without_option(tree):
    """Raises unless a kernel without MMU notifiers has nothing of the core."""
    name = "without"
    objdir = _objdir(name)
    objdir.mkdir(parents=True, exist_ok=True)
    _make(tree, name, "allnoconfig")
    config = (objdir / ".config").read_text()
    if "MMU_NOTIFIER" in config:
        raise Failed("a configuration without MMU notifiers tells of them")
    plan = _make(tree, name, "--dry-run", "mm/")
    if "mm/slub.o" not in plan:
        raise Failed("make does not tell what it would build in mm/")
    if "mmu_notifier" in plan:
        raise Failed("a kernel without MMU notifiers would build a core")
