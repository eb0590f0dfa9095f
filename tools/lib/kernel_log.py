# SPDX-License-Identifier: GPL-2.0
"""Judges a kernel log: what in it is a complaint of the kernel about itself."""

import re
from dataclasses import dataclass, field

# Each pattern is matched against a line without its timestamp, from the start unless it says
# otherwise. User programs that crash are not the kernel's complaint: their tests judge them.
_COMPLAINTS = [re.compile(pattern) for pattern in (
    r"WARNING: ",
    r"BUG: ",
    r"\[ BUG: ",                                         # lockdep, of a context
    r"BUG \S+ \(",                                      # SLUB: "BUG kmalloc-64 (Not tainted): ..."
    r"kernel BUG at ",
    r"Oops\b",
    r"Kernel panic",
    r"(?i:unable to handle )",
    r"general protection fault\b",
    r"(stack segment|double fault|invalid opcode|int3|divide error): ",
    r".*ftrace bug",
    r".*\b(KASAN|KCSAN|KMSAN|KFENCE|UBSAN): ",
    r"ODEBUG: ",
    r"DEBUG_LOCKS_WARN_ON",
    r"INFO: task .*\bblocked\b",
    r".*INFO: rcu.*\bstall",
    r".*kthread (starved|timer wakeup didn't happen) for ",
    r"INFO: (trying to register non-static key|lockdep is turned off|possible |suspicious )",
    r".*(soft lockup|hard LOCKUP)",
    r".*\blist_(add|del)\b.* corruption",
    r"list_add double add",
    r"refcount_t: ",
    r".*Bad (page|rss-counter|page map|swap file entry)",
    r".*Slab .*Objects remaining",
    r".*still has objects",
    r".*scheduling while atomic",
    r".*sleeping function called from ",
    r".*: page allocation failure: ",
    r"(Memory cgroup out|Out) of memory: ",
    r".*kmemleak: \d+ new suspected",
    # livepatch says little; all of it but the known good news is bad news.
    r"livepatch: (?!(enabling|reverting|applying) patch |signaling remaining tasks|'[^']*': )",
    r"irq \d+: nobody cared",
    r"mce: \[Hardware Error\]",
    r"FAULT_FLAG_ALLOW_RETRY missing",                  # with DEBUG_VM only
    r"\[log\] ",                                        # written by machine.py
)]

# A backtrace is a complaint when nothing above it in this many lines announced it: another
# complaint, a magic system request of ours, a failure that we have asked for, or the OOM killer,
# which is a complaint where it says whom it kills.
_BACKTRACE = re.compile(r"Call Trace:")
_REQUESTED = re.compile(r"sysrq: Show |FAULT_INJECTION: forcing a failure|.* invoked oom-killer: "
                        r"|oom_reaper: unable to reap ")
_REPORT_LINES = 100

_PREFIX = re.compile(r"(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")


@dataclass
class Verdict:
    """What a log says: complaints nobody expected, and expectations that did not come."""

    unexpected: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    expected: list = field(default_factory=list)
    known: list = field(default_factory=list)

    def failures(self):
        return self.unexpected + [f"expected in the kernel log, but never came: {pattern}"
                                  for pattern in self.missing]


def complaints(log):
    """Returns the lines of `log` with which the kernel complains, timestamps included."""
    found, last = [], None
    for number, line in enumerate(log.splitlines()):
        text = _PREFIX.sub("", line, count=1)
        if any(pattern.match(text) for pattern in _COMPLAINTS):
            last = number
            found.append(line)
        elif _REQUESTED.match(text):
            last = number
        elif _BACKTRACE.match(text):
            if last is None or number - last > _REPORT_LINES:
                found.append(line)
            # The next one may be of the same report: some show all tasks.
            last = number
    return found


def judge(log, allowed=(), known=()):
    """Sorts the complaints in `log` by whether a pattern in `allowed` expects them.

    What a pattern in `known` fits may come or not.
    """
    patterns = [re.compile(pattern) for pattern in allowed]
    verdict, seen = Verdict(), set()
    for line in complaints(log):
        matching = [pattern.pattern for pattern in patterns if pattern.search(line)]
        if matching:
            verdict.expected.append(line)
        elif any(re.search(pattern, line) for pattern in known):
            verdict.known.append(line)
        else:
            verdict.unexpected.append(line)
        seen.update(matching)
    verdict.missing = [pattern.pattern for pattern in patterns if pattern.pattern not in seen]
    return verdict


# The bits of /proc/sys/kernel/tainted that only a complaint sets: name, and what such a complaint
# says.
_TAINTS = {4: ("M (machine check)", "Hardware Error"),
           5: ("B (bad page)", "Bad page|KASAN: |BUG [^ ]+ \\("),
           7: ("D (oops)", "Oops|BUG: "),
           9: ("W (warning)", "WARNING: |BUG: (scheduling|sleeping) "),
           14: ("L (soft lockup)", "soft lockup")}
_PANIC = "Kernel panic"


def taint_complaints(taint, said=()):
    """Names the bits of a complaint in `taint` (None: not known) that no complaint in `said` set."""
    return [name for bit, (name, pattern) in _TAINTS.items()
            if (taint or 0) >> bit & 1 and not any(re.search(pattern, line) for line in said)]


def tells_of_panic(said):
    """Whether one of the complaints is the kernel's end."""
    return any(_PANIC in line for line in said)


def from_kmsg(record):
    """Turns one /dev/kmsg record into (sequence number, printk-like lines)."""
    header, _, rest = record.partition(";")
    _, sequence, microseconds = header.split(",")[:3]
    text = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)),
                  rest.split("\n")[0])
    seconds, fraction = divmod(int(microseconds), 1_000_000)
    stamp = f"[{seconds:5}.{fraction:06}] "
    return int(sequence), "".join(f"{stamp}{line}\n" for line in text.split("\n"))


def timestamp(line):
    """Returns the seconds in a line's timestamp, or None."""
    match = re.match(r"(?:<\d+>)?\[\s*(\d+\.\d+)\]", line)
    return float(match[1]) if match else None
