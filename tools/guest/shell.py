#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make shell`: a shell in a guest that has the module, a VM to run and KVM."""

import os
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import core  # noqa: E402
import kernel_log  # noqa: E402
import kvm_guest  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
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


def main():
    with lock.run("shell"):
        session()


def session():
    """Boots the guest, converses, and tells what the kernel complained of."""
    if not project.MODULE.exists():
        sys.exit(f"{project.MODULE} is missing: run `make module` first")
    print("booting the stock kernel ...", flush=True)
    vm = Guest("shell", modules=kvm_guest.MODULES, cmdline=kvm_guest.CMDLINE,
               programs={kvm_guest.IN_GUEST: kvm_guest.built()},
               files={"/etc/motd": HERE / "motd", core.IN_GUEST: project.MODULE})
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
