# SPDX-License-Identifier: GPL-2.0
"""What the set-up needs of the machine, asked before anything is changed."""

import os
import pwd
import subprocess
from pathlib import Path

import project
from progress import Failed

# Measured with du while each stage ran, rounded up.
TOOLROOT_MB = 2500
KERNEL_MB = 2500
_MB = 1 << 20


def check_path() -> None:
    """Kbuild and the mounts cannot cope with these characters."""
    bad = sorted({repr(char) for char in str(project.TOP) if char.isspace() or char in ":\\'\"$#%"})
    if bad:
        raise Failed(f"the path {project.TOP} holds {', '.join(bad)}, which the kernel's build"
                     " cannot cope with: move the checkout to a plain path")


def check_namespaces() -> None:
    commands = [project.private_mounts()]
    if os.geteuid() != 0:
        # First without subordinate ids: unshare's helper for those stays
        # behind, holding our pipe, when there are no user namespaces at all.
        commands.insert(0, ["unshare", "--user", "--map-root-user", "--mount"])
    for command in commands:
        trial = subprocess.run([*command, "true"], capture_output=True, text=True)
        if trial.returncode != 0:
            said = trial.stderr.strip()
            why = _root_is_confined(said) if os.geteuid() == 0 else _user_is_confined()
            raise Failed(f"a private mount namespace cannot be made ({said}).\n{why}")


def _root_is_confined(said: str) -> str:
    if "propagation" in said:
        return ("The root directory is no mount point, as in a plain chroot: bind-mount it on itself"
                " before entering (mount --bind DIR DIR; chroot DIR).")
    return ("This root lacks CAP_SYS_ADMIN, as in an ordinary container: run it on the machine"
            " itself, in a virtual machine, or in a privileged container.")


def _user_is_confined() -> str:
    reasons = [reason for path, bad, reason in (
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces is 0"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone is 0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl kernel.apparmor_restrict_unprivileged_userns is 1"),
    ) if _sysctl(path) == bad]
    name = pwd.getpwuid(os.getuid()).pw_name
    for table in ("/etc/subuid", "/etc/subgid"):
        if not _has_range(Path(table), name):
            reasons.append(f"{table} gives {name} no 65536 subordinate ids"
                           f" (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name})")
    known = "; ".join(reasons) or "the kernel, a security module or a chroot forbids them"
    return f"Neither root nor usable user namespaces: {known}.\nPut that right, or run make as root."


def _sysctl(name: str) -> str:
    path = Path("/proc/sys") / name
    return path.read_text().strip() if path.exists() else ""


def _has_range(table: Path, name: str) -> bool:
    lines = table.read_text().splitlines() if table.exists() else []
    owners = (name, str(os.getuid()))
    ranges = (line.split(":") for line in lines)
    return any(len(one) == 3 and one[0] in owners and int(one[2]) >= 65536 for one in ranges)


def check_disk(needed_mb: int) -> None:
    space = os.statvfs(project.BUILD)
    free_mb = space.f_bavail * space.f_frsize // _MB
    if free_mb < needed_mb:
        raise Failed(f"too little disk: {project.BUILD} needs {needed_mb} MB more and has {free_mb} MB"
                     " free. Make room, or put the checkout on a larger file system.")
