# SPDX-License-Identifier: GPL-2.0
"""Watches over the jobs of the stress: for how long, at which rates, and whether each goes on."""

import time

import kernel_log
import project
import race_reports
from guest_job import GuestDied, GuestError

_POLL = 1
_TELL = 10
# Of a vital counter, on a busy machine; only to find what hangs.
_STALL = 120

# Of the log, before what is new: more than a report's lines.
_CONTEXT = 20000

# What is told of, and the counters that add up to it.
_RATES = {
    "registrations": ("subscribers.registrations", "users.lives", "storm.lives"),
    "invalidations": ("subscribers.invalidations", "torture.steps"),
    "exits": ("subscribers.lives", "users.lives", "storm.lives", "victims.releases",
              "victims.oom_kills"),
    "loads": ("modules.loaded",),
    "hotplugs": ("hotplug.went", "hotplug.came"),
    "OOM kills": ("victims.oom_kills",),
    "modes": ("knobs.modes",),
    "takeovers": ("takeovers.takeovers",),
}


def rates(counters, seconds):
    """What happened per second, by `counters` as of totals(), as text."""
    sums = {what: sum(counters.get(name, 0) for name in names) for what, names in _RATES.items()}
    return ", ".join(f"{count / seconds:.{1 if count / seconds >= 1 else 2}f} {what}"
                     for what, count in sums.items() if count)


def totals(jobs):
    """All counters of all jobs, by JOB.COUNTER."""
    return {f"{job.name}.{name}": count for job in jobs
            for name, count in job.counters().items()}


class Stalls:
    """Notices vital counters that do not grow."""

    def __init__(self, jobs, limit, now=time.monotonic):
        self._names = [f"{job.name}.{name}" for job in jobs for name in job.vital]
        self._limit, self._now = limit, now
        self._seen = {name: (0, now()) for name in self._names}

    def look(self, counters):
        """Returns what has stood still for too long, as text."""
        now = self._now()
        for name in self._names:
            if counters.get(name, 0) > self._seen[name][0]:
                self._seen[name] = counters[name], now
        return [f"{name} stands still at {count} for {now - since:.0f} s"
                for name, (count, since) in self._seen.items() if now - since > self._limit]

    def missing(self):
        """The vital counters that have never grown."""
        return [name for name, (count, _) in self._seen.items() if not count]


class Log:
    """What the kernel complains of, told piece by piece: the whole log is long after an hour."""

    def __init__(self, vm):
        self._vm, self._seen = vm, len(vm.kernel_log())

    def look(self):
        """Returns the complaints since the last look."""
        log = self._vm.kernel_log()
        known = log[max(0, self._seen - _CONTEXT):self._seen]
        # A line or a report that is not whole is looked at the next time.
        new = race_reports.whole(log[self._seen:log.rfind("\n") + 1])
        self._seen += len(new)
        return _unexpected(known + new)[len(_unexpected(known)):]


def _unexpected(log):
    log, _ = race_reports.elsewhere(log)
    return kernel_log.judge(log, ANNOUNCED, project.kernel().known).unexpected


class Outcome:
    """What a run did and found."""

    def __init__(self, seconds, counters, problems):
        self.seconds, self.counters, self.problems = seconds, counters, problems

    @property
    def story(self):
        return f"{self.seconds:.0f} s: {rates(self.counters, self.seconds)} per second"


def conduct(vm, jobs, seconds, say, patience=1):
    """Lets the jobs run for so long, and on until each has done all that it must; the Outcome."""
    begin = told = time.monotonic()
    last, stalls, problems = {}, Stalls(jobs, _STALL * patience), []
    log = Log(vm)
    while not problems:
        now = time.monotonic()
        counters = totals(jobs)
        problems = [what for job in jobs for what in job.wrong()]
        problems += log.look()[:3]
        if not problems and (stalled := stalls.look(counters)):
            problems = stalled
            vm.sysrq("wl")
        if now - told >= _TELL or problems:
            grown = {name: count - last.get(name, 0) for name, count in counters.items()}
            say(f"{now - begin:4.0f} s: {rates(grown, now - told or 1)} per second")
            last, told = counters, now
        if now - begin >= seconds and not stalls.missing():
            break
        time.sleep(_POLL)
    took = time.monotonic() - begin
    if problems:
        say(f"after {took:.0f} s: {problems[0]}")
        # What is stuck would only be waited for; the guest's end is the end of all.
        for job in jobs:
            job.abandon()
    else:
        problems = _end(jobs)
    return Outcome(took, totals(jobs), problems)


# Victims are killed on purpose.
ANNOUNCED = (r"Memory cgroup out of memory: ",)


def _end(jobs):
    """Ends the jobs, those that depend on others first; returns what is found only now."""
    found = []
    for job in reversed(jobs):
        try:
            found += job.end()
        except GuestDied as error:
            return [*found, str(error).splitlines()[0]]
        except GuestError as error:
            found.append(f"{job.name} does not end: {str(error).splitlines()[0]}")
    return found
