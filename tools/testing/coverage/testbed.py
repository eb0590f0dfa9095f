# SPDX-License-Identifier: GPL-2.0
"""The guest that the programs need, and running them in it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "selftests/mmu_notifier"))

import notifier_tests  # noqa: E402
import samples  # noqa: E402
import tap  # noqa: E402
import test_programs  # noqa: E402
import upstream  # noqa: E402

_MODULES = ("zram num_devices=2", "hwpoison-inject", "ext4", "nd_e820", "nd_pmem", "device_dax",
            "dax_pmem")
_SAMPLES = ("kvm_shadow", "gru")
# Only to end what hangs: each test has a limit of its own in the harness.
_TIMEOUT = 240

# Two nodes to migrate between, but only when a test says so; memory that the kernel takes for a
# persistent device's, above 4 GiB; and pages that are zero as soon as they are free, so that a
# stale translation reads something else.
_CMDLINE = "numa=fake=2 numa_balancing=disable memmap=2G!4G init_on_free=1"
_SETUP = """
echo 512M > /sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0
echo 64M > /sys/block/zram1/disksize && mke2fs -b 4096 /dev/zram1
mkdir -p /tmp/disk && mount -t ext4 /dev/zram1 /tmp/disk
mkdir -p /tmp/cgroup && mount -t cgroup2 none /tmp/cgroup
echo +memory > /tmp/cgroup/cgroup.subtree_control
echo N > /sys/module/damon_stat/parameters/enabled
echo 64 > /proc/sys/vm/nr_hugepages
"""


def arguments(note):
    """The arguments for a Guest; builds what it needs."""
    drivers = samples.built()
    return {"programs": test_programs.built(), "cmdline": _CMDLINE,
            "modules": [*_MODULES, *(drivers[name] for name in _SAMPLES),
                        upstream.built(note).test_hmm, notifier_tests.built().driver]}


def prepare(vm):
    """Sets the guest up, once."""
    vm.run(f"set -e\n{_SETUP}", check=True)


def run(vm, command):
    """Runs tests of a program; returns {test: verdict}, its output and the seconds it took."""
    end = vm.run(f"exec {command}", _TIMEOUT)
    return tap.results(end.output), end.output, end.seconds
