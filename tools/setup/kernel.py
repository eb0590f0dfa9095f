# SPDX-License-Identifier: GPL-2.0
"""A packaged kernel made ready: source, build directory with Rust metadata, image, modules."""

import lzma
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "build"))

import build_directory
import package_index
import project
import release
from marks import Mark
from progress import Failed, Step, say
from remove import remove

# A change of these makes the prepared build directory stale.
_BUILD_TOOLS = ("rustc", "bindgen", "clang", "gcc", "pahole", "libelf-dev", "libxxhash-dev")


def _log(kernel, stage):
    return project.LOGS / f"{kernel.release}-{stage}.log"


def _unpack(kernel, choice) -> None:
    """Downloads the packages (apt verifies them) and keeps what is needed of them."""
    debs = kernel.directory / "debs"
    files = kernel.directory / "files"
    root = kernel.directory / "root"
    package_index.fetch()
    with Step("kernel packages", _log(kernel, "download"), "about 290 MB") as step:
        debs.mkdir(parents=True, exist_ok=True)
        wanted = [f"{name}={choice['version']}"
                  for name in release.packages(choice["release"], choice["series"])]
        # apt skips what is there already and whole.
        step.run(project.inside_popen,
                 ["apt-get", "-o", "APT::Sandbox::User=root", "download", *wanted], cwd=debs,
                 hint="If the index no longer has them, `make upgrade` moves on to a newer kernel;"
                      " if there was no network, run the same command again.")
    package_index.drop()
    with Step("kernel source", _log(kernel, "unpack"), "about 20 s") as step:
        for stale in (files, root, kernel.source):
            shutil.rmtree(stale, ignore_errors=True)
        for deb in sorted(debs.glob("*.deb")):
            step.run(project.inside_popen, ["dpkg-deb", "-x", deb, files])
        kernel.source.mkdir()
        step.run(project.inside_popen,
                 ["tar", "-xf", files / "usr/src" / f"linux-source-{choice['series']}.tar.xz",
                  "-C", kernel.source, "--strip-components=1"])
        root.mkdir()
        (files / "usr/lib").rename(root / "lib")
        for link in ("build", "source"):
            (kernel.modules / link).unlink(missing_ok=True)
        step.run(project.inside_popen, ["depmod", "-b", root, kernel.release])
    headers = files / "usr/src" / f"linux-headers-{kernel.release}"
    config = files / "usr/src" / f"linux-config-{choice['series']}" / "config.amd64_none_amd64.xz"
    stock = kernel.directory / "stock"
    shutil.rmtree(stock, ignore_errors=True)
    stock.mkdir()
    shutil.copy(headers / "Module.symvers", stock)
    (stock / "config").write_bytes(lzma.decompress(config.read_bytes()))
    shutil.rmtree(files)
    shutil.rmtree(debs)


def _prepare(kernel) -> None:
    """Builds the part of the kernel that modules need, the Rust crates' metadata included."""
    with Step("kernel build directory", _log(kernel, "prepare"), "about 90 s") as step:
        stock = kernel.directory / "stock"
        build_directory.make(kernel.source, stock / "config", stock / "Module.symvers",
                             kernel.objdir, kernel.release,
                             lambda argv: step.run(project.inside_popen, argv))
    build_directory.check(kernel.objdir, kernel.release, project.inside)


def _tool_versions() -> str:
    return project.inside(["dpkg-query", "-W", *_BUILD_TOOLS], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def marks(choice):
    """The two stages' marks. The build directory holds absolute paths: TOP is an input."""
    kernel = project.Kernel(choice["release"])
    unpacked = Mark(kernel.directory / "unpacked", choice)
    prepared = Mark(kernel.directory / "prepared",
                    [unpacked.digest, str(project.TOP), _tool_versions()])
    return unpacked, prepared


def ensure(choice, prepare=True) -> None:
    kernel = project.Kernel(choice["release"])
    unpacked, prepared = marks(choice)
    if not unpacked.holds():
        prepared.clear()
        _unpack(kernel, choice)
        unpacked.set()
    if prepare and not prepared.holds():
        prepared.clear()
        _prepare(kernel)
        prepared.set()


def drop_unused(releases) -> None:
    """Removes the kernels that no KVER= of this checkout stands for any more."""
    kept = set(releases)
    for directory in project.choices_file().parent.iterdir():
        if directory.is_dir() and directory.name not in kept:
            say(f"  Linux {directory.name} is no longer used here: removed")
            remove(directory)
