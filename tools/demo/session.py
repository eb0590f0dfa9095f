#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make session`: the commands of an administrator on a Debian, recorded as a picture.

Boots a Debian 13 with the stock kernel and the package on its disk, has a virtual machine at work
on it, and types. What it prints goes to Documentation/session.svg as it came, but for the screens
that a later one replaces.
"""

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TOOLS = TOP / "tools"
sys.path[:0] = [str(TOOLS / folder) for folder in (
    "lib", "build", "setup", "package", "testing/package", "testing/livepatch",
    "testing/selftests/mmu_notifier", "testing/upstream")]

import core  # noqa: E402
import deb  # noqa: E402
import debian_root  # noqa: E402
import kvm_guest  # noqa: E402
import lock  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import stuck  # noqa: E402
from debian_guest import DebianGuest  # noqa: E402
from guest import GuestError  # noqa: E402
from kbuild import BuildFailed  # noqa: E402
from progress import Failed  # noqa: E402

_PICTURE = TOP / "Documentation/session.svg"
_SVG = Path(__file__).with_name("svg.py")
_ROWS, _COLUMNS = 12, 120
_PROMPT = "\x1b[1;32mroot@debian\x1b[0m:\x1b[1;34m~\x1b[0m# "
_DRIVER = "/root/mmu_notifier_test.ko"
_PATIENCE = 600
# What begins a screen of `mmu-notifier top`, and every sequence but those of colours.
_SCREEN = re.compile(r"\x1b\[(?:H|2J|\?1049h)")
_SEQUENCE = re.compile(r"\x1b\[[?0-9;]*[A-Za-ln-z]")


class Session:
    """A person at the terminal of a guest, and all that was on it."""

    def __init__(self, vm):
        self._vm = vm
        self.text = ""

    def type(self, command):
        """Types a command and waits for its end."""
        job = self._begin(command)
        end = job.wait(_PATIENCE)
        if end.status:
            raise GuestError(f"`{command}` ended with status {end.status}:\n{end.output}")
        self._add(command, end.output)

    def look(self, command, until):
        """Types a command that draws screens, and leaves it when `until` is on one."""
        job = self._begin(command)
        job.wait_output(until, _PATIENCE)
        job.write(b"q")
        screens = _SCREEN.split(job.wait().output)
        shown = next(screen for screen in reversed(screens) if until in screen)
        self._add(command, shown)

    def _begin(self, command):
        print(f"  # {command}", flush=True)
        job = self._vm.start(f"cd /root; export DEBIAN_FRONTEND=noninteractive TERM=linux; "
                             f"stty rows {_ROWS} columns {_COLUMNS}; {command}", terminal=True)
        job.resize(_ROWS, _COLUMNS)
        return job

    def _add(self, command, output):
        # A line that was written over is as it was in the end.
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in output.split("\n")]
        said = _SEQUENCE.sub("", "\n".join(lines)).strip("\n")
        self.text += f"{_PROMPT}{command}\n" + (f"{said}\n\n" if said else "\n")


def run(vm, session):
    """The story: nothing is lost but the time of the takeover, and what is stuck has a name."""
    session.type("apt-get -qq install ./mmu-notifier-rust.deb")
    session.type("mmu-notifier enable")
    session.type("tail -n 1 guest.log | cut -d ' ' -f 2-4,6")
    process = stuck.Process(vm)
    process.do("stick")
    session.type(f"echo 1 > /sys/module/{core.NAME}/parameters/stuck_after")
    session.look("mmu-notifier top", "STUCK for ")
    process.do("open")
    process.end()
    session.type("mmu-notifier status")
    session.type("apt-get -qq purge mmu-notifier-rust")
    session.type("tail -n 1 guest.log | cut -d ' ' -f 2-4,6")


def record():
    """Boots the guest, records, and returns the text."""
    kernels = [kernel.release for kernel in deb.kernels()]
    debian_root.ensure(kernels)
    if subprocess.run([sys.executable, TOOLS / "package/deb.py"]).returncode:
        raise BuildFailed("there is no package")
    [package] = deb.OUT.glob(f"{deb.NAME}_*.deb")
    folder = project.RESULTS / "session"
    folder.mkdir(parents=True, exist_ok=True)
    disk = debian_root.disk(folder / "disk", f"cp {package} /root/mmu-notifier-rust.deb",
                            *debian_root.only(kernels[0]))
    print("  booting ...", flush=True)
    try:
        # Processors that take turns: see tools/testing/suites/package.py.
        with DebianGuest("session", disk, kernels[0], parallel=False) as vm:
            vm.run("modprobe kvm-amd", check=True)
            vm.hold_vm()
            vm.put(notifier_tests.built().driver, _DRIVER)
            for path, program in stuck.programs().items():
                vm.put(program, path)
            vm.insmod(_DRIVER)
            machine = vm.start(f"exec {kvm_guest.IN_GUEST} --operations munmap,mprotect,mremap,fork"
                               " > /root/guest.log")
            core.wait_until(vm, lambda: "progress " in vm.read("/root/guest.log"))
            session = Session(vm)
            run(vm, session)
            machine.signal("TERM")
            if machine.wait().status:
                raise GuestError("the virtual machine saw what was wrong")
            if complaints := vm.complaints():
                raise GuestError("the kernel complained:\n" + "\n".join(complaints))
            return session.text
    finally:
        disk.unlink()


def main():
    try:
        text = record()
    except (BuildFailed, Failed, GuestError, notifier_tests.BuildFailed,
            project.SetupMissing) as error:
        sys.exit(f"{error}\nsession: not recorded")
    project.inside(["python3", _SVG, _PICTURE, str(_COLUMNS)], input=text, text=True, check=True)
    print(f"  {_PICTURE}")


if __name__ == "__main__":
    with lock.run("session"):
        main()
