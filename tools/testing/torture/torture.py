# SPDX-License-Identifier: GPL-2.0
"""Builds the torture, sets a guest up for it, and runs it there."""

import json
import os
import re
import subprocess
from pathlib import Path

import leaks
import lock
import project
import samples
import upstream

_HERE = Path(__file__).resolve().parent
_LOG_TAIL = 30
_OUT = project.BUILD / "torture"

IN_GUEST = "/bin/torture"
DRIVERS = ("kvm_shadow", "gru", "xpmem")
SECONDARIES = ("kvm_shadow", "gru_range", "gru_flush", "dmirror", "xpmem")
_SEED = "1"
# What it takes to set up and to come to an end, on a busy machine.
_GRACE = 300


class BuildFailed(Exception):
    """A program did not build."""


def built(programs):
    """Returns the program, made up to date; `programs` are upstream's, for their headers."""
    return make("torture", _HERE, _OUT, programs)


def make(name, folder, out, programs):
    """Has the Makefile in `folder` make `name` in `out`, with the headers of `programs`."""
    with lock.held(f"building the {name}"):
        out.mkdir(parents=True, exist_ok=True)
        done = project.inside(
            ["make", f"-j{len(os.sched_getaffinity(0))}", f"HEADERS={programs.headers}",
             f"HMM={programs.test_hmm.parent}", f"SAMPLES={project.TOP / 'samples'}",
             f"OUT={out}"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_TAIL:])
        raise BuildFailed(f"the {name} did not build:\n{tail}")
    return out / name


def guest(note=lambda text: None):
    """The guest that the torture needs, with all that it is made of built, as arguments for one."""
    programs = upstream.built(note)
    drivers = samples.built()
    return {
        "programs": {IN_GUEST: built(programs)},
        "modules": ["zram num_devices=2", "ext4", leaks.FLUSHER, programs.test_hmm,
                    *(drivers[name] for name in DRIVERS)],
        # Two nodes to migrate between. What is freed is wiped, so that who still reads it shows.
        # DAMON takes references to pages to look at them, which keeps them from migrating.
        "cmdline": f"numa=fake=2 init_on_free=1 damon_stat.enabled=N {leaks.CMDLINE}",
    }


def seed():
    """The seed that the environment asks for."""
    return int(os.environ.get("SEED") or _SEED, 0)


# Where pages go to: swap space, a file system that writes back, huge pages, and a control group
# that can be told to reclaim. Merging and collapsing are made busier than they are.
_SET_UP = """
echo 256M > /sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0 &&
echo 64M > /sys/block/zram1/disksize && mke2fs -b 4096 /dev/zram1 && mkdir -p /torture &&
mount -t ext2 /dev/zram1 /torture &&
echo 48 > /proc/sys/vm/nr_hugepages &&
echo +memory > /sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/torture &&
cd /sys/kernel/mm && echo 1 > ksm/run && echo 20 > ksm/sleep_millisecs &&
echo 500 > ksm/pages_to_scan &&
echo 500 > transparent_hugepage/khugepaged/scan_sleep_millisecs &&
echo always > transparent_hugepage/shmem_enabled
"""
_JOIN = "echo $$ > /sys/fs/cgroup/torture/cgroup.procs"


def prepare(vm):
    """Gives the guest what the torture works with."""
    vm.run(_SET_UP, 120, check=True)


class Outcome:
    """What a run of the torture did and found."""

    def __init__(self, end):
        self.status, self.output, self.seconds = end.status, end.output, end.seconds
        lines = re.findall(r"^\{.*\}$", end.output, re.MULTILINE)
        self.summary = json.loads(lines[-1]) if lines else {}
        said = re.search(r"^(STALE|BROKEN) .*$", end.output, re.MULTILINE)
        self.finding = said[0] if said else ""

    @property
    def clean(self):
        """Whether it came to its end and all was well."""
        return self.status == 0 and bool(self.summary) and not self.finding

    @property
    def unused(self):
        """The secondaries that have not been read alone and beside the processor."""
        counts = self.summary.get("secondaries", {})
        return [name for name in SECONDARIES
                if not all(counts.get(name, {}).get(what) for what in ("reads", "concurrent"))]

    @property
    def story(self):
        """What it did in a line, or what it found."""
        if not self.clean:
            return self.finding or f"status {self.status}: {self.output[-300:]}"
        return (f"seed {self.summary['seed']}: {self.summary['steps']} steps, "
                f"{self.summary['comparisons']} comparisons")

    @property
    def red(self):
        """Whether it found a stale read, and said which."""
        return self.status == 1 and self.finding.startswith("STALE ")


def run(vm, seconds, seed, on_output=None, options=""):
    """Runs it for so long and returns the Outcome."""
    job = vm.start(f"{_JOIN}; exec {IN_GUEST} -n {seconds} -s {seed} {options} 2>&1",
                   on_output=on_output)
    return Outcome(job.wait(seconds + _GRACE))


def holdings(vm):
    """What the guest holds that a torture could leave behind, as {what: how much}."""
    huge = vm.read("/proc/sys/vm/nr_hugepages"), _free_huge_pages(vm)
    found = {"address spaces": leaks.address_spaces(vm), "huge pages": int(huge[0]) - huge[1]}
    for name in ("test_hmm", *DRIVERS):
        found[f"references to {name}"] = int(vm.read(f"/sys/module/{name}/refcnt"))
    return found


def _free_huge_pages(vm):
    return int(re.search(r"HugePages_Free: +(\d+)", vm.read("/proc/meminfo"))[1])


def left_behind(before, after):
    """Returns what there is more of than before, as text."""
    limits = {"address spaces": leaks.BORROWED}
    return [f"{what}: {before[what]} before, {amount} after" for what, amount in after.items()
            if amount - before[what] > limits.get(what, 0)]
