#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make shell`: a shell in a guest that has the core, drivers, a VM to run and KVM."""

import os
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent
sys.path[:0] = [str(TOOLS / folder) for folder in (
    "lib", "build", "testing/selftests/mmu_notifier", "testing/upstream")]

import core  # noqa: E402
import guest_programs  # noqa: E402
import kbuild  # noqa: E402
import kernel_log  # noqa: E402
import kvm_guest  # noqa: E402
import lock  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import samples  # noqa: E402
import terminal  # noqa: E402
from guest import Guest, GuestDied, GuestError  # noqa: E402

_POWERED_OFF = "reboot: Power down"


def converse(vm):
    """Runs the shell until the person leaves it or switches the guest off."""
    term = shlex.quote(os.environ.get("TERM", "linux"))
    shell = vm.start(f"cat /etc/motd; cd /root; TERM={term} exec sh -i", terminal=True,
                     on_output=terminal.show)
    try:
        terminal.relay(shell)
    except GuestDied:
        if _POWERED_OFF not in vm.kernel_log():
            raise


def programs():
    """What the person can call by name."""
    tests = {f"/bin/{name}": path for name, path in notifier_tests.built_in("peek").items()}
    return {kvm_guest.IN_GUEST: kvm_guest.built(),
            "/usr/sbin/mmu-notifier": guest_programs.built("mmu-notifier"), **tests}


def files():
    """The core's module where `mmu-notifier` looks for it, and the drivers' where the shell is."""
    installed = Path("updates", Path(core.IN_GUEST).name)
    modules = Path("/lib/modules", project.kernel().release)
    drivers = {f"/root/{name}.ko": path for name, path in samples.built().items()}
    return {"/etc/motd": HERE / "motd", str(modules / installed): project.MODULE,
            str(modules / "modules.dep"): f"{installed}:\n", **drivers}


def main():
    with lock.run("shell"):
        try:
            session()
        except (kbuild.BuildFailed, notifier_tests.BuildFailed) as error:
            sys.exit(str(error))


def session():
    """Boots the guest, converses, and tells what the kernel complained of."""
    if not project.MODULE.exists():
        sys.exit(f"{project.MODULE} is missing: run `make module` first")
    print("booting the stock kernel ...", flush=True)
    vm = Guest("shell", modules=kvm_guest.MODULES, cmdline=kvm_guest.CMDLINE,
               programs=programs(), files=files())
    try:
        with vm:
            kvm_guest.prepare(vm)
            vm.hold_vm()
            converse(vm)
    except GuestError as error:
        sys.exit(str(error))
    print("the guest is off")
    for line in kernel_log.complaints(vm.kernel_log()):
        print(f"the kernel complained: {line}")


if __name__ == "__main__":
    main()
