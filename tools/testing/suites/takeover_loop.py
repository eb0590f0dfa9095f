# SPDX-License-Identifier: GPL-2.0
"""A hundred takeovers and hand-backs, while programs that depend on notifiers run.

In one guest long lives: a virtual machine that checks each byte it sees, and hmm-tests. In the
other short ones: a storm of processes that register, change their memory and exit. Both guests run
at once, since livepatch mostly waits: for each function that it gives back, until every task has
passed through a quiet state.
"""

import statistics
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "takeover"), str(_TESTING / "upstream")]

import core  # noqa: E402
import hmm_load  # noqa: E402
import kvm_guest  # noqa: E402
import leaks  # noqa: E402
import rounds  # noqa: E402
import storm  # noqa: E402
import upstream  # noqa: E402

TITLE = "takeovers and hand-backs in a loop, under load"
ORDER = 60
TIMEOUT = 1800

# Together a hundred, dealt out so that both guests take about as long.
_ROUNDS = {"long_lives": 46, "short_lives": 54}
_WARM_UP = 3
# Who migrates pages wants nobody else to hold them.
_CMDLINE = f"{leaks.CMDLINE} {rounds.CMDLINE} numa_balancing=disable damon_stat.enabled=N"


class VirtualMachine(kvm_guest.KvmGuest):
    """The samples' VM as a load."""

    name = "kvm_guest"
    brisk = True

    def counters(self):
        progress = self.progress()
        return {name: progress[name] for name in ("loops", "verified") if name in progress}

    def end(self):
        status = super().end().status
        return self.complaints() or ([] if status == 0 else [f"status {status}"])


def run(check):
    programs = upstream.built(check.note)
    stopped = threading.Event()
    with ThreadPoolExecutor() as threads:
        try:
            guests = [threads.submit(_long_lives, check, programs, stopped),
                      threads.submit(_short_lives, check, programs, stopped)]
            for guest in guests:
                guest.result()
        finally:
            stopped.set()


def _long_lives(check, programs, stopped):
    with check.guest("long_lives",
                     programs={kvm_guest.IN_GUEST: kvm_guest.built(),
                               hmm_load.IN_GUEST: programs.hmm_tests},
                     modules=[*kvm_guest.MODULES, programs.test_hmm, leaks.FLUSHER],
                     cmdline=f"{kvm_guest.CMDLINE} {_CMDLINE}", parallel=False) as vm:
        kvm_guest.prepare(vm)
        vm.hold_vm()
        vm.write("/proc/sys/vm/nr_hugepages", "256")
        _loop(check, vm, "long_lives",
              lambda: [VirtualMachine(vm), hmm_load.HmmTests(vm)], stopped)


def _short_lives(check, programs, stopped):
    with check.guest("short_lives", programs={storm.IN_GUEST: storm.built(programs)},
                     modules=["kvm-amd", programs.test_hmm, leaks.FLUSHER],
                     cmdline=_CMDLINE, parallel=False) as vm:
        vm.hold_vm()
        _loop(check, vm, "short_lives",
              lambda: [storm.Storm(vm, ["/dev/kvm", "/dev/hmm_dmirror0"])], stopped)


def _loop(check, vm, name, start, stopped):
    """Warms up, does the rounds, and looks what is left when the load is gone."""
    loads = start()
    for _ in range(_WARM_UP):
        rounds.advance(loads)
    for load in loads:
        load.end()
    # The first takeover leaves things for good that are made once, like livepatch's own.
    core.take_over(vm)
    core.hand_back(vm)
    before = leaks.footprint(vm)

    loads = start()
    rounds.advance(loads)
    done = []
    with check.test(f"{name}.rounds", "rust"):
        with open(check.log_dir / name / "rounds.log", "w", encoding="utf-8") as log:
            for one in rounds.rounds(vm, loads, _ROUNDS[name]):
                check.count_takeovers(1)
                done.append(one)
                print(f"{len(done)}: {one}", file=log, flush=True)
                assert not stopped.is_set(), f"stopped after {len(done)} rounds"
    check.note(f"{name}: {len(done)} rounds; a takeover took {_spread([r.taking for r in done])}, "
               f"a hand-back {_spread([r.giving for r in done])}")
    for load in loads:
        wrong = load.end()
        check.result(f"{name}.{load.name}", "-", "fail" if wrong else "pass", 0,
                     f"{load.counters()} {'; '.join(wrong)}")
    with check.test(f"{name}.nothing_leaked", "-"):
        after = leaks.footprint(vm)
        (check.log_dir / name / "footprint.txt").write_text(
            "".join(f"{what}: {before.get(what, 0)} before, {after[what]} after\n" for what in after))
        grown = leaks.grown(before, after, _ROUNDS[name])
        assert not grown, "; ".join(grown)
        vm.run("rmmod test_hmm", check=True)


def _spread(seconds):
    return (f"{min(seconds):.1f} to {max(seconds):.1f} s (median {statistics.median(seconds):.1f})"
            if seconds else "no time")
