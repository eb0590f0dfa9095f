# SPDX-License-Identifier: GPL-2.0
"""The jobs of the stress, that all run at the same time in one guest.

Each has `counters()`, of which those named in `vital` must go on growing; `wrong()`, what it has
found so far; and `end()`, which ends it and returns what it found.
"""

import random
import re
import threading

import core
import storm
import torture
from guest_job import GuestError
from initramfs import MODULES

IN_GUEST = "/bin/stress"
# Loaded and unloaded all the time; test_hmm stays, whose unloading is a test of its own.
DRIVERS = ("emm", "gru", "kvm_shadow", "xpmem", "mmu_notifier_test")
_HELD = ("/dev/kvm_shadow", "/dev/gru", "/dev/xpmem")
# A program of the torture takes so long; then the next one begins, with the next seed.
_ROUND = 20
_THREADS = "-p 2 -t 2"
# The longest turn ends with a victim that the OOM reaper does not come for.
_END = 120
# Only to end what hangs; a transition waits for a task that a callback holds up.
_TRANSITION = 300
_PAUSE = 2


class _Lines:
    """Hands on whole lines of what a job prints: all of it is much after an hour."""

    def __init__(self, take):
        self._take, self._rest = take, ""

    def __call__(self, piece):
        *lines, self._rest = (self._rest + piece.decode(errors="replace")).split("\n")
        for line in lines:
            self._take(line)


class Job:
    """A job of the program `stress`."""

    def __init__(self, vm, name, seed, vital, arguments=""):
        self.name, self.vital = name, vital
        self._told, self._found = "", []
        self._job = vm.start(f"exec {IN_GUEST} {name} {seed} {arguments} 2>&1",
                             on_output=_Lines(self._take))

    def _take(self, line):
        kind, _, rest = line.partition(" ")
        if kind in ("progress", "summary"):
            self._told = rest
        elif kind == "wrong":
            self._found.append(rest)

    def counters(self):
        return {name: int(count) for name, count in
                (word.split("=") for word in self._told.split())}

    def wrong(self):
        status = self._job.poll()
        if status and not self._found:
            return [f"{self.name} ended with status {status}: {self._job.output()[-200:]}"]
        return list(self._found)

    def end(self):
        if self._job.poll() is None:
            self._job.signal("TERM")
        self._job.wait(_END)
        return self.wrong()

    def abandon(self):
        """Nothing more will be heard of it."""


class Torture:
    """The coherence torture, one program after the other, each with the next seed."""

    name = "torture"
    vital = ("steps",)

    def __init__(self, vm, seed):
        self._vm, self._ending = vm, False
        self._done = self._now = self._programs = 0
        self._found = []
        self._job = vm.start(
            f"echo $$ > /sys/fs/cgroup/torture/cgroup.procs; seed={seed}; "
            f"while {IN_GUEST} hold {' '.join(_HELD)} -- {torture.IN_GUEST} -n {_ROUND} "
            f"{_THREADS} -s $seed 2>&1; do seed=$((seed + 1)); done",
            on_output=_Lines(self._take))

    def _take(self, line):
        if said := re.match(r"progress (\d+) steps", line):
            self._now = int(said[1])
        elif said := re.match(r'\{"seed".*?"steps": (\d+)', line):
            self._done, self._now, self._programs = self._done + int(said[1]), 0, self._programs + 1
        elif line.startswith(("STALE ", "BROKEN ")):
            self._found.append(line)

    def counters(self):
        return {"steps": self._done + self._now, "programs": self._programs}

    def wrong(self):
        if self._job.poll() is not None and not self._found and not self._ending:
            return [f"the torture has ended: {self._job.output()[-200:]}"]
        return list(self._found)

    def end(self):
        """In the middle of a program: its processes die with all their subscriptions."""
        found = self.wrong()
        self._ending = True
        if self._job.poll() is None:
            self._job.signal("KILL")
        self._job.wait(_END)
        self._vm.run("while pidof torture; do :; done", _END)
        return found

    def abandon(self):
        """Nothing more will be heard of it."""


class Storm(storm.Storm):
    """The short lives with KVM and test_hmm of the takeover loop."""

    vital = ("lives",)

    def __init__(self, vm):
        super().__init__(vm, ["/dev/kvm", "/dev/hmm_dmirror0"])

    def wrong(self):
        return [] if self.running() else ["the storm has ended"]

    def abandon(self):
        """Nothing more will be heard of it."""


class Takeovers:
    """C and Rust in charge in turns."""

    name = "takeovers"
    vital = ("takeovers", "hand_backs")

    def __init__(self, vm, seed):
        self._vm, self._random = vm, random.Random(seed)
        self._counts = dict.fromkeys(self.vital, 0)
        self._wrong, self._over = [], threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def counters(self):
        return dict(self._counts)

    def wrong(self):
        return list(self._wrong)

    def end(self):
        self._over.set()
        self._thread.join()
        return self.wrong()

    def abandon(self):
        """Lets the thread end when the guest does."""
        self._over.set()

    def _work(self):
        try:
            while not self._over.is_set():
                core.take_over(self._vm, timeout=_TRANSITION)
                self._counts["takeovers"] += 1
                self._over.wait(self._random.random() * _PAUSE)
                core.hand_back(self._vm, timeout=_TRANSITION)
                self._counts["hand_backs"] += 1
                self._over.wait(self._random.random() * _PAUSE)
        except GuestError as error:
            self._wrong.append(f"takeover: {str(error).splitlines()[0]}")


_PATHS = " ".join(f"{MODULES}/{name}.ko" for name in DRIVERS)
_JOBS = {
    "torture": Torture,
    "subscribers": lambda vm, seed: Job(vm, "subscribers", seed, (
        "lives", "registrations", "invalidations", "killed")),
    "users": lambda vm, seed: Job(vm, "users", seed, ("lives", "reads", "killed")),
    "victims": lambda vm, seed: Job(vm, "victims", seed, ("oom_kills", "reaped", "releases")),
    "modules": lambda vm, seed: Job(vm, "modules", seed, ("loaded", "unloaded"), _PATHS),
    "hotplug": lambda vm, seed: Job(vm, "hotplug", seed, ("went", "came")),
    "storm": lambda vm, seed: Storm(vm),
}

NAMES = (*_JOBS, "knobs", "takeovers")


def start(vm, seed, takeovers, rust, wanted=NAMES):
    """Starts those that are wanted; C and Rust take turns, or a core stays, Rust or not."""
    started = [make(vm, seed) for name, make in _JOBS.items() if name in wanted]
    if (takeovers or rust) and "knobs" in wanted:
        # The mode can be set where the core is built in; while it is taken over, livepatch does it.
        modes = ("modes",) if not core.switchable(vm) else ()
        started.append(Job(vm, "knobs", seed, ("searched", *modes)))
    if takeovers and "takeovers" in wanted:
        started.append(Takeovers(vm, seed))
    return started
