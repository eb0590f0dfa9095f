# SPDX-License-Identifier: GPL-2.0
"""The data races that KCSAN reports in a kernel log: which are the core's, and which are not.

A kernel that takes every unmarked access for a race has many to report all over. The core's are
those in which one of the two accesses is its own, be it through a helper of the kernel's.
"""

import re

import kernel_log

_BEGIN = re.compile(r"BUG: KCSAN: data-race in ")
_END = re.compile(r"={20,}$")
_ACCESS = re.compile(r"(?:race at unknown origin, with )?(?:read|write|read-write|assert)\b.* by "
                     r"(?:task|interrupt)\b.*:$")
_FRAME = re.compile(r" (\S+)\+0x[0-9a-f]+/0x[0-9a-f]+")
# In characters; one that seems longer has lost its end.
_LONGEST = 20000
_STAMP = re.compile(r"^\[\s*\d+\.\d+\] ?")

_CORE = re.compile(r"(?<!kvm_)mmu_notifier|mmu_interval|^mn_|^mmn_|^mm_(take|drop)_all_locks$")
# What the core, as everybody else, has done for it.
_HELPERS = re.compile(r"^(rust_helper_|__?rb_|rb_|interval_tree_|__?hlist_|hlist_|_*srcu_|call_srcu"
                      r"|mem(cpy|set|move)|__mem|_*(k|kv|kmem_cache_)(m|z)?(alloc|free)|up_|down_"
                      r"|_*(spin|raw_spin|mutex|rwsem)_|wake_up|_*wake_up|prepare_to_wait"
                      r"|finish_wait|atomic|refcount|__vma_start_write|mas_find|sort_nonatomic"
                      r"|(mod|queue)_delayed_work_on|_*percpu_|__init_|__list_"
                      r"|_R(?:(?!Cs).)*Cs[0-9A-Za-z]+_4core(3ptr|4sync))")


def elsewhere(log):
    """Returns the log without the races that are not the core's, and how many those were."""
    kept, count, report = [], 0, None
    for line in log.splitlines(keepends=True):
        text = _STAMP.sub("", line.rstrip("\n"), count=1)
        if report is None and _BEGIN.match(text):
            report = []
        if report is None:
            kept.append(line)
            continue
        report.append(line)
        if _END.match(text):
            if of_the_core("".join(report)):
                kept += report
            else:
                count += 1
                # Another processor may have had something to say meanwhile.
                kept += [f"{line}\n" for line in kernel_log.complaints("".join(report[1:]))]
            report = None
    # A report that does not end is kept: whose it is cannot be told.
    return "".join(kept + (report or [])), count


def whole(log):
    """Returns the log up to a report that has begun and not ended, unless that is very long."""
    length, begun = 0, None
    for line in log.splitlines(keepends=True):
        text = _STAMP.sub("", line.rstrip("\n"), count=1)
        if begun is None and _BEGIN.match(text):
            begun = length
        elif _END.match(text):
            begun = None
        length += len(line)
    torn = begun is not None and length - begun > _LONGEST
    return log if torn else log[:begun]


def of_the_core(report):
    """Whether one of the accesses of a report is the core's own."""
    first, found = False, False
    for line in report.splitlines():
        text = _STAMP.sub("", line, count=1)
        frame = _FRAME.match(text)
        if _ACCESS.match(text):
            first = True
        elif frame and first and not _HELPERS.match(frame[1]):
            found |= bool(_CORE.search(frame[1]))
            first = False
    return found
