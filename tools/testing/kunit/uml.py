# SPDX-License-Identifier: GPL-2.0
"""User Mode Linux with the core built in: a kernel that boots, tests itself and ends at once."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
TOP = TESTING.parents[1]
sys.path[:0] = [str(TOP / path) for path in ("tools/lib", "tools/build", "patches")]

import kbuild  # noqa: E402
import module  # noqa: E402
import patches  # noqa: E402
import project  # noqa: E402
import series  # noqa: E402
from marks import Mark  # noqa: E402

# Of the names of the core's suites.
PREFIX = "mmu_notifier_"

_FOLDER = project.BUILD / "kunit"
_TREE = _FOLDER / "source"
_OUT = _FOLDER / "uml"
_LOG = _FOLDER / "uml.log"
_CONFIG = Path(__file__).with_name("uml.config")
# A test that hangs is ended by KUnit, in so many seconds; a kernel that hangs by us.
_TEST_TIMEOUT = 120
_TIMEOUT = 600

# Configurations that the core is compiled for besides: which options are otherwise than built.
_OTHERWISE = {
    "native_only": {"CONFIG_MMU_NOTIFIER_KUNIT_TEST": False},
    "with_lockdep": {"CONFIG_LOCKDEP": True},
    "without_debugfs": {"CONFIG_DEBUG_FS": False},
    "without_debugging": {"CONFIG_MMU_NOTIFIER_KUNIT_TEST": False,
                          "CONFIG_DEBUG_ATOMIC_SLEEP": False},
}

# How clang and rustc say where something is wrong; the headers of others are theirs.
_OURS = re.compile(rf"{series.FOLDER}/[^ :]+:\d+:\d+: (warning|error)|--> \S*{series.FOLDER}/")


def suites():
    """The names of all suites in the sources."""
    names = [name for path in series.core_files() if path.suffix == ".rs"
             for name in re.findall(r"kunit_tests\((\w+)\)", (TOP / path).read_text())]
    return sorted(names)


def _core(mutations):
    """The core's files as {path in the tree: text}, with `mutations` as module.build() takes them."""
    return {path: module.mutated(name, (TOP / name).read_text(), mutations)
            for name, path in series.core_files().items()}


def _sync(kernel, mutations):
    """Makes the tree that is built: the series applied, and the core as it is in this checkout.

    Its files are links to another tree's, hence written anew and never over.
    """
    mark = Mark(_FOLDER / "source.made", patches.inputs(kernel))
    fresh = not mark.holds()
    if fresh:
        mark.clear()
        shutil.rmtree(_TREE, ignore_errors=True)
        _FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--archive", "--link", patches.patched(kernel), _TREE], check=True)
    wanted = _core(mutations)
    for path, text in wanted.items():
        file = _TREE / path
        # make looks at the times only: a file of the other tree may be older and yet another one.
        if fresh or not file.exists() or file.read_text() != text:
            file.unlink(missing_ok=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    for stale in set((_TREE / series.FOLDER).rglob("*.rs")) - {_TREE / path for path in wanted}:
        stale.unlink()
    mark.set()


def _make(*targets):
    argv = ["make", "-C", _TREE, f"O={_OUT}", "ARCH=um", "LLVM=1", f"-j{os.cpu_count()}", *targets]
    return kbuild.run(project.inside, argv, _LOG)


def _configure():
    """Configures as little as can be, and what is wanted; make itself follows a changed Kconfig."""
    wanted = [line for line in _CONFIG.read_text().splitlines() if line.startswith("CONFIG_")]
    mark = Mark(_OUT / ".configured", wanted)
    if not mark.holds():
        mark.clear()
        _OUT.mkdir(parents=True, exist_ok=True)
        seed = _OUT / "seed"
        seed.write_text("".join(f"{line}\n" for line in wanted))
        _make(f"KCONFIG_ALLCONFIG={seed}", "allnoconfig")
        mark.set()
    got = (_OUT / ".config").read_text().splitlines()
    if missing := [line for line in wanted if line not in got]:
        raise kbuild.BuildFailed(f"Kconfig does not grant {' '.join(missing)}")


def built(kernel, mutations=()):
    """Builds the kernel and returns it; not a word may come from the core's own files."""
    program = _OUT / "linux"
    _sync(kernel, mutations)
    # Nobody shall test yesterday's kernel after today's build failed.
    program.unlink(missing_ok=True)
    _LOG.write_text("")
    _configure()
    complaints = [line for line in _make().splitlines() if _OURS.search(line)]
    if complaints:
        # What is built already would be silent the next time.
        for path in (_TREE / series.FOLDER).rglob("*.rs"):
            path.touch()
        raise kbuild.BuildFailed("\n".join(complaints) + f"\nthe build must be silent; see {_LOG}")
    return program


def _compile(tool, otherwise):
    """Has `tool` compile the core as make has, but for some options; returns what it says."""
    saved = (_OUT / series.FOLDER / ".mmu_notifier.o.cmd").read_text().splitlines()[0]
    words = shlex.split(saved.split(":=", 1)[1])
    begin = words.index("rustc")
    # A line is --cfg=OPTION or --cfg=OPTION="value".
    lines = [line for line in (_OUT / "include/generated/rustc_cfg").read_text().splitlines()
             if line.removeprefix("--cfg=").split("=")[0] not in otherwise]
    for option in (option for option, on in otherwise.items() if on):
        lines += [f"--cfg={option}", f'--cfg={option}="y"']
    cfg = _FOLDER / "rustc_cfg"
    cfg.write_text("".join(f"{line}\n" for line in lines))
    argv = [f"@{cfg}" if word.endswith("/rustc_cfg") else word for word in words[begin + 1:]]
    argv = [word for word in argv if not word.startswith(("--emit=", "--out-dir"))]
    argv.remove(f"{words[words.index('--out-dir') + 1]}")
    bindings = _OUT / series.FOLDER / "bindings_generated.rs"
    done = project.inside([tool, *argv, f"--out-dir={_FOLDER}", "--emit=metadata"], cwd=_OUT,
                          env={"RUSTC_BOOTSTRAP": "1", "OBJTREE": str(_OUT),
                               "MMN_BINDINGS": str(bindings), "CLIPPY_CONF_DIR": str(_TREE),
                               "RUST_MODFILE": f"{series.FOLDER}/mmu_notifier_rust"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout or ("it fails" if done.returncode else "")


def compiles_otherwise():
    """Compiles the core of the last build in other ways; yields (name, what was said)."""
    for name, otherwise in _OTHERWISE.items():
        yield name, _compile("rustc", otherwise)
    yield "clippy", _compile("clippy-driver", {})


def run(program, glob=f"{PREFIX}*", test_timeout=_TEST_TIMEOUT, timeout=_TIMEOUT):
    """Boots the kernel, which runs the suites that `glob` names; returns what its console said."""
    argv = ["timeout", "--kill-after=10", str(timeout), program, "mem=256M", "ncpus=2",
            "seccomp=on", "loglevel=8", "panic=-1", "kunit_shutdown=poweroff", f"kunit.timeout={test_timeout}",
            f"kunit.filter_glob={glob}"]
    done = project.inside(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.stdout.decode(errors="replace").replace("\r", "")
