# SPDX-License-Identifier: GPL-2.0
"""DKMS at work on the package with sources, in the toolchain root.

The kernel's build directory that is here already stands for the one that the package makes.
"""

import shutil
import subprocess

import module
import project

_FOLDER = project.BUILD / "dkms"


def _dkms(package, kernel, log_dir, headers):
    """Has DKMS build for the kernel of `headers`; returns its status, output and tree."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    tree, unpacked = _FOLDER / "tree", _FOLDER / "unpacked"
    tree.mkdir(parents=True)
    project.inside(["dpkg-deb", "-x", package, unpacked], check=True)
    source = next((unpacked / "usr/src").iterdir())
    name, _, number = source.name.rpartition("-")
    done = project.inside(["dkms", "build", "-m", name, "-v", number, "-k", kernel.release,
                           "--sourcetree", source.parent, "--dkmstree", tree,
                           "--kernelsourcedir", headers, "--no-depmod"],
                          env={"KDIR": str(kernel.objdir)}, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    logs = "".join(path.read_text() for path in tree.glob("**/make.log"))
    log_dir.mkdir(parents=True, exist_ok=True)
    (log_dir / "dkms.log").write_text(done.stdout + logs)
    return done.returncode, done.stdout + logs, tree


def builds(package, kernel, log_dir):
    status, said, tree = _dkms(package, kernel, log_dir, kernel.objdir)
    assert status == 0, said
    built = tree.glob(f"*/*/{kernel.release}/x86_64/module/{module.NAME}")
    # What DKMS does to a module once it is built must not cost it what livepatch needs.
    project.inside(["python3", project.TOP / "tools/build/check_livepatch.py", next(built)],
                   check=True)


def passes_over(package, kernel, log_dir):
    """A kernel without Rust is no failure of DKMS, and there is no module."""
    headers = _FOLDER.with_name("dkms_headers")
    shutil.rmtree(headers, ignore_errors=True)
    headers.mkdir(parents=True)
    config = (kernel.objdir / ".config").read_text()
    assert "CONFIG_RUST=y\n" in config
    (headers / ".config").write_text(config.replace("CONFIG_RUST=y\n", ""))
    status, said, tree = _dkms(package, kernel, log_dir, headers)
    # What DKMS answers when a package does not want a kernel.
    assert status == 77, (status, said)
    assert not list(tree.glob(f"**/{module.NAME}*")), "built all the same"
