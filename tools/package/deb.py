#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make deb: the Debian packages, in build/deb.

mmu-notifier-rust holds the module as built here, for the kernels that MATRIX
names; mmu-notifier-rust-dkms its sources, for DKMS. Each has all that is needed: one
takes the other's place. debhelper makes them from debian/ and from what is
gathered here.
"""

import argparse
import email.utils
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / f"tools/{folder}") for folder in ("lib", "build", "setup")]

import guest_programs  # noqa: E402
import kbuild  # noqa: E402
import lock  # noqa: E402
import module  # noqa: E402
import project  # noqa: E402
import release  # noqa: E402
import setup  # noqa: E402
import version  # noqa: E402
from progress import Failed  # noqa: E402

NAME = "mmu-notifier-rust"
OUT = project.BUILD / "deb"
# Beside the kernel that KVER= stands for, as long as the archive has them.
MATRIX = ("7.2",)

_DEBIAN = TOP / "tools/package/debian"
_DKMS = TOP / "tools/package/dkms"
# What builds the module, beside its sources.
_BUILDERS = ("tools/build/build_directory.py", "tools/build/check_livepatch.py",
             "tools/build/kbuild.py", "tools/build/module.py", "tools/lib/lock.py",
             "tools/lib/project.py", "tools/lib/progress.py", "tools/package/dkms/build.py")
_SCRIPTS = ("prerm", "postinst", "postrm")
_CHANGELOG = """\
{name} ({version}) UNRELEASED; urgency=medium

  * As of this commit; see the history of the project.

 -- mmu_notifier_rust developers <mmu-notifier-rust@example.org>  {date}
"""


def packages():
    return (NAME, f"{NAME}-dkms")


def kernels():
    """The kernels that there is a module for, all set up."""
    found = [project.stock_kernel()]
    for series in MATRIX:
        try:
            setup.set_up(series, upgrade=False, explain=False)
        except release.NotOffered as error:
            print(f"  without Linux {series}: {error}")
        else:
            found.append(project.Kernel(release.remembered()[series]["release"]))
    return list(dict.fromkeys(found))


def build(out, number, modules):
    """Makes the packages in `out`; `modules` is {kernel release: path}. Returns {name: .deb}."""
    tree = out / "source"
    shutil.rmtree(out, ignore_errors=True)
    tree.mkdir(parents=True)
    images = ", ".join(f"linux-image-{one}" for one in modules)
    _debian(tree / "debian", modules, {"@VERSION@": number})
    _gather(tree, number, modules)
    log = out / "build.log"
    with log.open("w") as output:
        done = project.inside(["dpkg-buildpackage", "--build=binary", "--no-sign",
                               "--no-pre-clean", "--no-check-builddeps"],
                              cwd=tree, env={"SOURCE_DATE_EPOCH": str(version.date())},
                              stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        sys.exit(f"{tail}\ndeb: not built; all of the output is in {log}")
    return {name: out / f"{name}_{number}_amd64.deb" for name in packages()}


def _debian(target, modules, words):
    """The folder debian/: what is there, with its @WORDS@ filled in."""
    target.mkdir()
    series = [".".join(one.split(".")[:2]) for one in modules]
    words |= {"@SERIES@": " and ".join(series), "@PATTERN@": "|".join(map(re.escape, series)),
              "@SOURCES@": " | ".join(f"linux-source-{one}" for one in series),
              "@IMAGES@": ", ".join(f"linux-image-{one}" for one in modules),
              "@RELEASES@": " and ".join(modules)}
    for source in [*_DEBIAN.iterdir(), *_DKMS.glob("*.dkms")]:
        if source.name not in _SCRIPTS:
            _fill_in(source, target / source.name, words)
            continue
        for package, shipped in zip(packages(), (modules, ())):
            _fill_in(source, target / f"{package}.{source.name}",
                     words | {"@PACKAGE@": package, "@MODULES@": " ".join(shipped)})
    (target / "changelog").write_text(_CHANGELOG.format(
        name=NAME, version=words["@VERSION@"], date=email.utils.formatdate(version.date())))


def _fill_in(source, target, words):
    text = source.read_text()
    for word, value in words.items():
        text = text.replace(word, value)
    target.write_text(text)
    target.chmod(source.stat().st_mode & 0o777)


def _gather(tree, number, modules):
    """The files of the packages, and the lists by which debhelper finds them."""
    # A static program: it needs nothing of the machine's libraries.
    common = {"command/mmu-notifier": ("usr/sbin", guest_programs.built("mmu-notifier"))}
    common |= {f"bpftrace/{path.name}": (f"usr/share/{NAME}", path)
               for path in sorted((TOP / "tools/bpftrace").glob("*.bt"))}
    own = {f"modules/{one}/{module.NAME}": (f"usr/lib/modules/{one}/updates", path)
           for one, path in modules.items()}
    sources = [*map(str, module.sources()), *_BUILDERS]
    dkms = {f"dkms/{name}": (str(Path(f"usr/src/{NAME}-{number}/{name}").parent), TOP / name)
            for name in sources}
    for package, files in zip(packages(), (common | own, common | dkms)):
        for name, (_, path) in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tree / name)
        (tree / f"debian/{package}.install").write_text(
            "".join(f"{name} {folder}\n" for name, (folder, _) in files.items()))
        (tree / f"debian/{package}.links").write_text(
            "usr/sbin/mmu-notifier usr/sbin/mmu-notifier-top\n"
            "usr/share/man/man8/mmu-notifier.8 usr/share/man/man8/mmu-notifier-top.8\n")
        (tree / f"debian/{package}.manpages").write_text("command/mmu-notifier.8\n")
        shutil.copy(TOP / "tools/cli/mmu-notifier.8", tree / "command")


def _module(kernel):
    print(f"  building {module.NAME} for {kernel.release} ...", flush=True)
    stock = kbuild.StockKernel(kernel.objdir, kernel.release)
    return module.build(stock, project.BUILD / "package" / kernel.release)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", default=version.version(), help="another version, for tests")
    parser.add_argument("--out", type=Path, default=OUT, help="another folder, for tests")
    options = parser.parse_args()
    wanted = kernels()
    with lock.held("building the packages"):
        modules = {kernel.release: _module(kernel) for kernel in wanted}
        made = build(options.out.resolve(), options.version, modules)
    for path in made.values():
        print(f"  {path}")


if __name__ == "__main__":
    try:
        main()
    except (Failed, kbuild.BuildFailed, project.SetupMissing) as error:
        sys.exit(f"{error}\ndeb: not built")
