# SPDX-License-Identifier: GPL-2.0
"""A Debian 13 as installed by its own tools, kernels of backports included, and disks of it."""

import shutil
import subprocess

import guest_programs
import kvm_guest
import project
import toolroot
from marks import Mark
from progress import Step
from remove import remove

_FOLDER = project.BUILD / "debian"
_ROOT = _FOLDER / "root"
# What a server has at least, what our scripts are for, and the release's own kernel, which is older
# than those that fit.
_PACKAGES = ("bpftrace", "systemd-sysv", "udev", "dbus", "initramfs-tools", "zstd", "procps",
             "util-linux-extra", "linux-image-amd64")
_SIZE = "3G"

_SERVICE = """\
[Unit]
Description=The host's hand in this guest
DefaultDependencies=no
After=systemd-remount-fs.service systemd-udevd.service

[Service]
ExecStart=/usr/local/sbin/agent
KillMode=process

[Install]
WantedBy=sysinit.target
"""


def ensure(releases):
    """Makes the root with the kernels `releases`, by apt, if it is not there yet."""
    # With what they depend on there: `apt install -t` for these alone.
    images = [f"linux-image-{release}/{toolroot.SUITE}-backports" for release in releases]
    mark = Mark(_FOLDER / "made", [toolroot.SUITE, _PACKAGES, images])
    if mark.holds():
        return
    mark.clear()
    remove(_ROOT)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with Step("a Debian for guests", project.LOGS / "debian.log", "about two minutes") as step:
        step.run(subprocess.Popen, toolroot.bootstrap(_ROOT, (*_PACKAGES, *images)))
    mark.set()


def releases():
    """The kernels that are installed."""
    return sorted(path.name for path in (_ROOT / "usr/lib/modules").iterdir())


def only(release):
    """Shell commands that leave one kernel: each has an index of modules that takes long."""
    others = " ".join(f"linux-image-{one}" for one in releases() if one != release)
    return (f"apt-get -y purge linux-image-amd64 {others}", "apt-get -y autoremove --purge")


def kernel_files(release):
    """The kernel and the initramfs that boot it, as update-initramfs made it."""
    return _ROOT / f"boot/vmlinuz-{release}", _ROOT / f"boot/initrd.img-{release}"


def disk(path, *commands):
    """Makes a disk of the root at `path`, after the shell commands were run in a copy of it.

    What is done there is done without emulation. The tests' own programs are on the disk.
    """
    copy = _FOLDER / "copy"
    remove(copy)
    project.inside(["cp", "-a", "--reflink=auto", _ROOT, copy], check=True)
    log = path.with_suffix(".log")
    with log.open("w") as output:
        for command in commands:
            done = project.inside(["sh", "-c", command], root=copy, stdout=output,
                                  stderr=subprocess.STDOUT,
                                  env={"DEBIAN_FRONTEND": "noninteractive"})
            assert done.returncode == 0, f"`{command}` failed:\n{log.read_text()[-2000:]}"
    _add_programs(copy)
    path.unlink(missing_ok=True)
    project.inside(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", copy, path, _SIZE],
                   check=True)
    remove(copy)
    return path


def _add_programs(root):
    for source, name in ((guest_programs.built("agent"), "local/sbin/agent"),
                         (guest_programs.built("hold_vm"), "bin/hold-vm"),
                         (kvm_guest.built(), kvm_guest.IN_GUEST)):
        shutil.copy2(source, root / "usr" / name.removeprefix("/"))
    service = root / "etc/systemd/system/agent.service"
    service.write_text(_SERVICE)
    wanted = service.parent / "sysinit.target.wants" / service.name
    wanted.parent.mkdir(exist_ok=True)
    wanted.symlink_to("../agent.service")
