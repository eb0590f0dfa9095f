#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the patch series that puts the core into a kernel tree, and applies it.

    patches.py                   writes patches/*.patch
    patches.py --check           tells whether they are what the sources make now
    patches.py --apply TREE      applies them to a tree, with git am
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools/lib"), str(TOP / "patches")]

import project  # noqa: E402
import series  # noqa: E402
from marks import Mark  # noqa: E402
from progress import Failed  # noqa: E402

# Whoever sends the series on signs it off; these keep it the same for everybody who makes it.
_AUTHOR = {
    "GIT_AUTHOR_NAME": "mmu_notifier_rust developers",
    "GIT_AUTHOR_EMAIL": "mmu-notifier-rust@example.org",
    "GIT_AUTHOR_DATE": "2026-11-26 12:00:00 +0000",
}
_COMMITTER = {name.replace("AUTHOR", "COMMITTER"): value for name, value in _AUTHOR.items()}
_GIT = ["git", "-c", "core.autocrlf=false", "-c", "core.abbrev=12", "-c", "gc.auto=0",
        "-c", "safe.directory=*"]
# Not the settings of whoever makes the series.
_NOBODYS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
_FOLDER = TOP / "patches"


def _git(repo, *arguments, **kwargs):
    done = project.inside([*_GIT, *arguments], cwd=repo, env=_AUTHOR | _COMMITTER | _NOBODYS, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)
    if done.returncode:
        raise Failed(f"git {arguments[0]}: {done.stdout.strip()}")
    return done.stdout


def _edited(patches):
    return sorted({edit.file for patch in patches for edit in patch.edits})


def _begin(repo, files):
    """Makes a repository of some files of a tree, which is all that git am looks at."""
    _git(repo, "init", "--quiet", "--initial-branch=series")
    _git(repo, "add", "--force", *files)
    _git(repo, "commit", "--quiet", "--message=base")


def make(source, out):
    """Writes the series for the tree `source` to the folder `out`; returns its files."""
    patches = series.patches()
    repo = project.BUILD / "patches" / "repository"
    shutil.rmtree(repo, ignore_errors=True)
    for name in _edited(patches):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, repo / name)
    _begin(repo, _edited(patches))
    for patch in patches:
        try:
            for edit in patch.edits:
                file = repo / edit.file
                file.write_text(edit.apply(file.read_text()))
        except ValueError as error:
            raise Failed(f"{patch.subject}: {error}") from None
        for path, origin in patch.files.items():
            (repo / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, repo / path)
        _git(repo, "add", "--force", "--all")
        _git(repo, "commit", "--quiet", "--signoff",
             f"--message={patch.subject}", f"--message={patch.message}")
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("*.patch"):
        stale.unlink()
    _git(repo, "format-patch", "--quiet", "--zero-commit", "--no-signature", "--no-renames",
         f"--output-directory={out}", f"-{len(patches)}")
    return sorted(out.glob("*.patch"))


def apply(tree, folder=_FOLDER):
    """Applies the series to a pristine tree that is in no repository."""
    if (tree / ".git").exists():
        raise Failed(f"{tree} is a repository; there, git am {folder}/*.patch does it")
    try:
        _begin(tree, _edited(series.patches()))
        _git(tree, "am", "--quiet", *sorted(folder.glob("*.patch")))
    finally:
        shutil.rmtree(tree / ".git", ignore_errors=True)


def _touched(tree):
    """The files of a tree that are not the pristine tree's."""
    ours = [path for folder in (series.FOLDER, series.DOCUMENTS)
            for path in (tree / folder).rglob("*") if path.is_file()]
    return {*(path.relative_to(tree) for path in ours), *map(Path, _edited(series.patches()))}


def _update(tree, fresh):
    """Makes `tree` what `fresh` is, and leaves alone what is the same: make looks at the times."""
    for path in _touched(tree) - _touched(fresh):
        (tree / path).unlink()
    for path in _touched(fresh):
        old, new = tree / path, fresh / path
        if not old.exists() or old.read_bytes() != new.read_bytes():
            old.parent.mkdir(parents=True, exist_ok=True)
            new.replace(old)
    shutil.rmtree(fresh)


def inputs(kernel):
    """What patched() makes a tree of."""
    return [str(kernel.source), *(path.read_text() for path in sorted(_FOLDER.glob("*.patch")))]


def patched(kernel):
    """Returns a tree of the kernel's source with the series of this checkout applied.

    Files that no patch touches are links to the pristine tree's; git replaces what it changes.
    """
    tree = project.BUILD / "patches" / kernel.release
    fresh = project.BUILD / "patches" / "new"
    mark = Mark(project.BUILD / "patches" / f"{kernel.release}.applied", inputs(kernel))
    if mark.holds():
        return tree
    mark.clear()
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--link", kernel.source, fresh], check=True)
    apply(fresh)
    if tree.exists():
        _update(tree, fresh)
    else:
        fresh.rename(tree)
    mark.set()
    return tree


def difference():
    """How patches/ differs from what the sources make now; nothing if it does not."""
    out = project.BUILD / "patches" / "made"
    make(project.kernel().source, out)
    made = {path.name: path.read_text() for path in out.glob("*.patch")}
    there = {path.name: path.read_text() for path in _FOLDER.glob("*.patch")}
    return sorted(name for name in made | there if made.get(name) != there.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether they are current")
    parser.add_argument("--apply", type=Path, metavar="TREE", help="apply them to a pristine tree")
    arguments = parser.parse_args()
    try:
        if arguments.apply:
            apply(arguments.apply.resolve())
        elif arguments.check:
            stale = difference()
            if stale:
                sys.exit(f"patches: {' '.join(stale)}: not what the sources make; `make patches`")
        else:
            for path in make(project.kernel().source, _FOLDER):
                print(f"  {path.relative_to(TOP)}")
    except (Failed, project.SetupMissing) as failure:
        sys.exit(f"patches: {failure}")


if __name__ == "__main__":
    main()
