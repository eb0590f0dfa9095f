# SPDX-License-Identifier: GPL-2.0
"""The part of a packaged kernel that modules in Rust need, made anew: its headers do not have it."""

import os
import re
import shutil
import subprocess

from progress import Failed

_EXPORTS = re.compile(r"EXPORT_SYMBOL_RUST_GPL\((_R\w+)\)")


def make(source, config, symvers, objdir, release, run):
    """Builds it in `objdir` with the kernel's own `config`; `run` starts a command like
    subprocess.run, with the compilers that the kernel was built with."""
    shutil.rmtree(objdir, ignore_errors=True)
    objdir.mkdir()
    shutil.copy(config, objdir / ".config")
    run(["make", f"-j{len(os.sched_getaffinity(0))}", "-C", source, f"O={objdir}",
         f"KERNELRELEASE={release}", "olddefconfig", "rustavailable", "modules_prepare"])
    shutil.copy(symvers, objdir)


def check(objdir, release, run) -> None:
    """Fails unless livepatch modules for the kernel can be made with the build directory."""
    _check_klp(objdir, run)
    check_metadata(objdir, release)


def _check_klp(objdir, run) -> None:
    usage = run([objdir / "tools/objtool/objtool", "klp"], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True).stdout
    if "post-link" not in usage:
        raise Failed("objtool was built without its klp subcommand (libxxhash-dev is missing),"
                     " so no livepatch module can be made")


def check_metadata(objdir, release) -> None:
    """A module links only if our rebuilt crates name their symbols as the packaged kernel does.

    The names carry a hash of the crate and its compiler, so equal names mean
    that the same compiler saw the same crates.
    """
    symvers = (objdir / "Module.symvers").read_text()
    stock = {line.split()[1] for line in symvers.splitlines() if line.split()[1].startswith("_R")}
    headers = (objdir / "rust").glob("exports_*_generated.h")
    ours = {name for header in headers for name in _EXPORTS.findall(header.read_text())}
    if not stock:
        raise Failed(f"{release} exports no Rust symbols: it was built without CONFIG_RUST")
    if stock != ours:
        example = sorted(stock ^ ours)[0]
        raise Failed(
            f"the rebuilt Rust crates do not fit {release}: {len(stock - ours)} of its"
            f" {len(stock)} Rust symbols are missing, {len(ours - stock)} are not its own,"
            f" e.g. {example}.\nWas it built with another rustc?")
