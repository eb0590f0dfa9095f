# SPDX-License-Identifier: GPL-2.0
"""The guests that the programs need, and setting them up."""

import project
import runs
import upstream
from probes import Probe

# DAMON takes references to pages to look at them, which keeps them from migrating, and asks for
# what is young in the background.
_QUIET = "damon_stat.enabled=N"
_LIBRARIES = "usr/lib/x86_64-linux-gnu/libibverbs"
_SWAP = """
echo {size} > /sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
"""
_DISK = f"""
echo 512M > /sys/block/zram1/disksize && mke2fs -b 4096 /dev/zram1
mkdir -p {runs.DISK} && mount -t ext4 /dev/zram1 {runs.DISK}
"""
# Packets of a page need frames that are larger.
_RDMA = """
ip link add dummy0 type dummy && ip link set dummy0 mtu 4500
ip addr add 10.0.0.1/24 dev dummy0 && ip link set dummy0 up
rdma link add rxe0 type rxe netdev dummy0
"""
_GROUPS = f"""
mkdir {runs.LIMITED} {runs.OPEN}
echo 100M > {runs.LIMITED}/memory.max
"""


class Group:
    """Programs that share a guest. `wanted` are those that are run."""

    runs = ()
    name = ""

    def __init__(self, wanted, note=lambda text: None):
        self.wanted = runs.slow(wanted) if project.kernel().patience > 1 else wanted
        self.built = upstream.built(note)

    def guest(self):
        """The arguments for a Guest."""
        raise NotImplementedError

    def prepare(self, vm):
        """Sets the booted guest up, once; returns the probe for the programs, if they need one."""


class Mm(Group):
    """The mm selftests with subscribers attached, and RDMA on demand."""

    name = "mm"
    runs = runs.MM_RUNS

    def guest(self):
        root = project.toolroot()
        library = f"{_LIBRARIES}/librxe-rdmav34.so"
        wanted = {run.program for run in self.wanted}
        programs = {f"{runs.MM}/{name}": path for name, path in self.built.mm.items()
                    if name in wanted}
        return {
            "programs": programs | {"/bin/rdma_odp": self.built.rdma_odp,
                                    "/bin/rdma": root / "usr/bin/rdma",
                                    f"/{library}": root / library},
            "files": {"/etc/libibverbs.d/rxe.driver": root / "etc/libibverbs.d/rxe.driver"},
            "modules": ["zram num_devices=2", "ext4", "hwpoison-inject", "ib_uverbs", "rdma_rxe",
                        "dummy numdummies=0", self.built.gup_test, self.built.attach],
            # One of the tests wants three processors and skips with less.
            "cpus": 4 if any(run.name == "migration" for run in self.wanted) else 2,
            "cpu": "EPYC,svm=on,npt=on,pku=on",
            # Two nodes to migrate between, but only when a test says so.
            "cmdline": "numa=fake=2 numa_balancing=disable proc_mem.force_override=always "
                       f"{_QUIET}",
        }

    def prepare(self, vm):
        vm.run(f"set -e\n{_SWAP.format(size='512M')}{_DISK}{_RDMA}", check=True)
        return Probe(vm, runs.RDMA_CALLBACK, "rdma_rxe")


class Hmm(Group):
    """hmm-tests."""

    name = "hmm"
    runs = runs.HMM_RUNS

    def guest(self):
        return {"programs": {"/bin/hmm-tests": self.built.hmm_tests},
                "modules": [self.built.test_hmm, self.built.gup_test], "cmdline": _QUIET}


class Kvm(Group):
    """The KVM selftests that touch memory.

    The processors take turns. QEMU with a host thread for each goes wrong with nested guests: on
    the stock kernel `mmu_stress_test -c 2` then ended with a vCPU that stopped without a word, or
    with the end of the whole machine.
    """

    name = "kvm"
    runs = runs.KVM_RUNS

    def guest(self):
        return {"programs": {f"/bin/{name}": path for name, path in self.built.kvm.items()},
                "modules": ["kvm-amd", "zram"], "cmdline": _QUIET, "parallel": False}

    def prepare(self, vm):
        vm.run(f"set -e\n{_SWAP.format(size='1G')}{_GROUPS}", check=True)
        vm.hold_vm()


GROUPS = (Mm, Hmm, Kvm)
