# SPDX-License-Identifier: GPL-2.0
"""A process that gets stuck in a callback, and out of it again, as it is told."""

import project

_HERE = project.TOP / "tools/testing/livepatch"
_SELFTEST = project.TOP / "tools/testing/selftests/mmu_notifier"
_OUT = project.BUILD / "stuck"
_FIFO = "/tmp/stuck"


def programs():
    """The program, built, for a guest's `programs`."""
    _OUT.mkdir(parents=True, exist_ok=True)
    program = _OUT / "stuck"
    project.inside(["gcc", "-static", "-O2", "-Wall", "-Werror", "-pthread", f"-I{_SELFTEST}",
                    "-o", program, _HERE / "stuck.c", _SELFTEST / "mnt.c", _SELFTEST / "job.c"],
                   check=True)
    return {"/bin/stuck": program}


class Process:
    """The program stuck.c in the guest, told what to do through a FIFO."""

    def __init__(self, vm):
        self._vm = vm
        vm.run(f"mkfifo {_FIFO}", check=True)
        # Open for writing too, so that it does not end when the first word has been written.
        self._job = vm.start(f"exec stuck <> {_FIFO}")
        self._job.wait_output("ready\n")

    def do(self, word):
        times = self._job.output().count("stick ") + (word == "stick")
        self._vm.write(_FIFO, f"{word}\n")
        self._job.wait_output(f"{word} {times}\n")

    def end(self):
        self._job.signal("TERM")
        self._job.wait()
