# SPDX-License-Identifier: GPL-2.0
"""Runs upstream's programs in a booted guest, whichever core serves there."""

import re
from dataclasses import asdict, dataclass, field

import hooks
import project
import tap
from guest_job import GuestError, GuestTimeout

_MODULE = "/sys/module/mmu_notifier_attach"
_COUNTS = f"{_MODULE}/parameters/counts"
_ATTACH = "MMU_NOTIFIER_ATTACH=1"
_VERDICTS = {0: "pass", 4: "skip"}
# Some end before their children; what those are told of shall not be counted for the next one.
_DETACH = f"""
for process in /proc/[0-9]*; do
    case $(readlink $process/exe) in /bin/mm/*) kill -KILL ${{process#/proc/}};; esac
done
for try in $(seq 300); do
    [ $(cat {_MODULE}/refcnt) = 0 ] && exit 0
    sleep 0.1
done
exit 1
"""


@dataclass
class Outcome:
    """How a program ended: statuses (None: it hung), a verdict on each test, and the calls."""

    statuses: list = field(default_factory=list)
    seconds: float = 0.0
    verdicts: dict = field(default_factory=dict)
    # How often each test passed, where the program was run more than once.
    passes: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    # The last line that it printed, when it did not end well.
    last_words: str = ""

    def add(self, status, seconds, verdicts, counts, last_words=""):
        """Takes an attempt: what passed once has passed."""
        self.statuses.append(status)
        self.last_words = last_words
        self.seconds += seconds
        for name, verdict in verdicts.items():
            self.passes[name] = self.passes.get(name, 0) + (verdict == "pass")
            if self.verdicts.get(name) != "pass":
                self.verdicts[name] = verdict
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def as_dict(self):
        return asdict(self)


def run(vm, programs, log_dir, label, on_outcome=lambda program, outcome: None, probes=None):
    """Returns {name: Outcome}; what each printed is in LOG_DIR/NAME-LABEL.log.

    `probes` counts calls for programs that have subscribers of their own.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    outcomes = {}
    for program in programs:
        outcome = outcomes[program.name] = Outcome()
        for attempt in range(program.attempts):
            log = log_dir / f"{program.name}-{label}{f'-{attempt + 1}' if attempt else ''}.log"
            outcome.add(*_attempt(vm, program, log, probes))
        on_outcome(program, outcome)
    return outcomes


def _attempt(vm, program, log, probes):
    reserve(vm, program.huge_pages)
    # A test leaves it switched off.
    vm.write("/proc/sys/vm/enable_soft_offline", "1")
    if program.attached:
        vm.write(_COUNTS, "0")
    if probes:
        probes.start()
    try:
        end = vm.run(_command(program), program.timeout)
        status, seconds, output = end.status, end.seconds, end.output
    except GuestTimeout as error:
        status, seconds, output = None, program.timeout, str(error)
    log.write_text(output)
    verdicts = tap.verdicts(re.sub(program.varies, "", output) if program.varies else output)
    if _VERDICTS.get(status) == "skip":
        verdicts.pop("plan", None)
    verdicts["program"] = "hung" if status is None else _VERDICTS.get(status, "fail")
    last_words = "" if status in _VERDICTS else _last_line(output)
    return status, seconds, verdicts, _calls(vm, program, probes), last_words


def _last_line(output):
    return next((line for line in reversed(output.splitlines()) if line.strip()), "")


def _command(program):
    attach = _ATTACH if program.attached else ""
    before = f"{program.before} && " if program.before else ""
    # The end of all output is the end of those who can still print.
    run = (f"set -o pipefail; {attach} {program.command} 2>&1 | cat" if program.forks_away else
           f"{attach} exec {program.command}")
    return f"cd {program.directory} && {before}{run}"


def _calls(vm, program, probes):
    if program.attached:
        if vm.run(_DETACH, 120).status != 0:
            raise GuestError(f"{vm.name}: {program.name} does not let go of its subscribers")
        return parse_counts(vm.read(_COUNTS))
    return probes.read() if probes else {}


def reserve(vm, pages):
    """Makes the pool of huge pages that large."""
    vm.write("/proc/sys/vm/nr_hugepages", str(pages))
    if int(vm.read("/proc/sys/vm/nr_hugepages")) < pages:
        vm.run("echo 3 > /proc/sys/vm/drop_caches; echo 1 > /proc/sys/vm/compact_memory; "
               f"echo {pages} > /proc/sys/vm/nr_hugepages", 300, check=True)
    reserved = int(vm.read("/proc/sys/vm/nr_hugepages"))
    assert reserved >= pages, f"only {reserved} huge pages of {pages}"


def parse_counts(text):
    """The counts of the attach module, with the kernel's names for events and without zeros."""
    header = project.kernel().source / "include/linux/mmu_notifier.h"
    names = hooks.event_names(header.read_text())
    found = {}
    for name, number in re.findall(r"^(\S+) (\d+)$", text, re.MULTILINE):
        kind, dot, event = name.partition(".")
        if dot and event.isdecimal() and int(event) < len(names):
            name = f"{kind}.{names[int(event)]}"
        if int(number):
            found[name] = int(number)
    return found
