# SPDX-License-Identifier: GPL-2.0
"""A guest that is a Debian: its own kernel, initramfs, init and disk; the agent is a service."""

import dataclasses
import time

import debian_root
import project
from guest import Guest

_BOOT_TIMEOUT = 400


@dataclasses.dataclass(frozen=True)
class DebianKernel(project.Kernel):
    """A kernel of the root, which need not be one that modules are built for here."""

    @property
    def vmlinuz(self):
        return debian_root.kernel_files(self.release)[0]


class DebianGuest(Guest):
    """Boots `disk` with the kernel `release` of it. What the guest writes stays on the disk."""

    def __init__(self, name, disk, release, cmdline="", **arguments):
        super().__init__(name, cmdline=f"root=/dev/vda rw systemd.show_status=0 {cmdline}", **arguments)
        self._hardware["disk"] = disk
        self._release = release

    def _boot(self):
        self.log_dir.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with project.using(DebianKernel(self._release)):
            self._machine.boot(debian_root.kernel_files(self._release)[1], _BOOT_TIMEOUT,
                               **self._hardware)
        self.run("systemctl is-system-running --wait", timeout=_BOOT_TIMEOUT)
        self.boot_seconds = time.monotonic() - started
