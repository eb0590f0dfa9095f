# SPDX-License-Identifier: GPL-2.0
"""Builds the stress, sets a guest up for it, runs it there, and looks what is left behind."""

from pathlib import Path

import conductor
import core
import jobs
import notifier_tests
import project
import rounds
import samples
import storm
import torture
import upstream

_HERE = Path(__file__).resolve().parent
_OUT = project.BUILD / "stress"
_PROGRAMS = ("stress", "torture", "storm")
# One stays, the others go and come.
_CPUS = 4

ANNOUNCED = conductor.ANNOUNCED


def built(programs):
    """Returns the program, made up to date; `programs` are upstream's, for their headers."""
    return torture.make("stress", _HERE, _OUT, programs)


def guest(takeovers, note=lambda text: None, module=project.MODULE, cmdline=""):
    """The guest that the stress needs, with all that it is made of built, as arguments for one."""
    programs, tests, drivers = upstream.built(note), notifier_tests.built(), samples.built()
    wanted = torture.guest(note)
    wanted["programs"] |= {jobs.IN_GUEST: built(programs), storm.IN_GUEST: storm.built(programs)}
    wanted["modules"] = ["kvm-amd", *wanted["modules"], drivers["emm"], tests.driver]
    wanted["cmdline"] += f" {rounds.CMDLINE} {cmdline}"
    if module:
        wanted["programs"][core.IN_GUEST] = module
    # Livepatch patches the kernel's text, which emulated processors in parallel may trip over.
    return wanted | {"cpus": _CPUS, "parallel": not takeovers}


def run(vm, seconds, seed, say, takeovers, load=False, wanted=jobs.NAMES):
    """Runs the stress and returns the Outcome, with what is left behind in it.

    With `takeovers`, C and Rust are in charge in turns. Without, the core stays that is in charge,
    or with `load` the one in the module, which stays. Only the jobs that are wanted run.
    """
    torture.prepare(vm)
    holder = vm.hold_vm()
    before = torture.holdings(vm)
    if load:
        core.take_over(vm)
    rust = core.serving(vm) == "rust"
    running = jobs.start(vm, seed, takeovers, rust, wanted)
    outcome = conductor.conduct(vm, running, seconds, say, project.kernel().patience)
    if not outcome.problems:
        if load:
            core.hand_back(vm)
        holder.signal("KILL")
        holder.wait()
        outcome.problems += _left_behind(vm, before)
    return outcome


def _left_behind(vm, before):
    """What there is more of than before, and what does not go away, as text."""
    left = [f"{name} still runs" for name in _PROGRAMS if vm.run(f"pidof {name}").status == 0]
    after = torture.holdings(vm)
    # Each processor that was away may still have borrowed one.
    after["address spaces"] -= _CPUS
    left += torture.left_behind(before, after)
    for name in (*jobs.DRIVERS, "test_hmm"):
        end = vm.run(f"rmmod {name}", 120)
        if end.status:
            left.append(f"{name} does not unload: {end.output.strip()}")
    return left
