# SPDX-License-Identifier: GPL-2.0
"""The KVM guest program of samples/kvm_guest: built, run in a guest, its report parsed."""

import re

import project

IN_GUEST = "/bin/kvm_guest"
# What the guest needs on board and on its command line for every kind of operation.
MODULES = ("kvm-amd", "zram")
CMDLINE = "numa=fake=2"

_SOURCE = project.TOP / "samples/kvm_guest"
_OUT = project.BUILD / "samples"
_SWAP = "/dev/zram0"
_GROUPS = "/sys/fs/cgroup"
_GROUP = f"{_GROUPS}/kvm_guest"


def built():
    """Returns the program's path, built if a source is newer."""
    _OUT.mkdir(parents=True, exist_ok=True)
    project.inside(["make", "-s", "-C", _SOURCE, f"OUT={_OUT}"], check=True)
    return _OUT / "kvm_guest"


def prepare(vm):
    """Provides what the operations need of the machine: swap, ksmd, a control group, the monitor."""
    vm.run(f"echo 256M > /sys/block/zram0/disksize && mkswap {_SWAP} && swapon {_SWAP}", check=True)
    vm.run("cd /sys/kernel/mm/ksm && echo 512 > pages_to_scan && echo 20 > sleep_millisecs && "
           "echo 1 > run", check=True)
    make_group(vm)
    # The multi-generational LRU asks which pages are young, but hardly ever by clear_flush_young.
    vm.write("/sys/kernel/mm/lru_gen/enabled", "0")
    vm.run("echo N > /sys/module/damon_stat/parameters/enabled", check=True)


def make_group(vm):
    """Makes its control group, which is all that most operations need."""
    vm.run(f"echo +memory > {_GROUPS}/cgroup.subtree_control && mkdir {_GROUP}", check=True)


class KvmGuest:
    """A run of the program."""

    def __init__(self, vm, arguments=""):
        self._job = vm.start(f"echo $$ > {_GROUP}/cgroup.procs && exec {IN_GUEST} {arguments}")
        self._job.wait_output("start ")
        self.pid = int(self._lines("start")[0]["pid"])

    def progress(self):
        """Returns the latest progress as {name: number}; empty before the first."""
        lines = self._lines("progress")
        return {name: float(value) if "." in value else int(value)
                for name, value in lines[-1].items()} if lines else {}

    def running(self):
        return self._job.poll() is None

    def complaints(self):
        """Returns what it found wrong, what failed, and what it could not do, as printed."""
        return [line for line in self._job.output().splitlines()
                if re.match(r"(wrong|failed|unable) ", line)]

    def end(self, timeout=60):
        """Ends it and returns its Result; status 0 only when it saw no wrong byte."""
        if self.running():
            self._job.signal("TERM")
        return self._job.wait(timeout)

    def operations(self):
        """After the end: [{name, done, not_done, ..., verified}] of each kind."""
        return self._lines("op")

    def _lines(self, word):
        output = self._job.output()
        whole = output[:output.rfind("\n") + 1]
        return [dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
                for line in whole.splitlines() if line.startswith(f"{word} ")]
