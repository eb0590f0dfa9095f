# SPDX-License-Identifier: GPL-2.0
"""The coherence torture, shortly: on C, on Rust, and on cores that leave an invalidation out.

The latter must be found out. `make torture` runs it for longer, `make torture-suppressed` on all
cores that leave something out. SEED= chooses another random program.
"""

import sys
import time
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(path) for path in (
    _TESTING, _TESTING / "torture", _TESTING / "takeover", _TESTING / "upstream",
    _TESTING / "selftests/mmu_notifier", _TESTING.parent / "build")]

import core  # noqa: E402
import cores  # noqa: E402
import kbuild  # noqa: E402
import suppressed  # noqa: E402
import torture  # noqa: E402

TITLE = "what secondary MMUs see is what the processor sees"
ORDER = 45
TIMEOUT = 1800

_SECONDS = 30
_SUPPRESSED = ("list-protection_page", "flush")


def run(check):
    guest = torture.guest(check.note)
    check.note(f"seed {torture.seed()}")
    with check.guest("coherence", **guest) as vm:
        torture.prepare(vm)
        with check.test("a_seed_is_a_program", "-"):
            _compare_plans(vm)
        before = torture.holdings(vm)
        cores.on_each(vm, lambda which: _coherence(check, vm, which))
        switchable = core.switchable(vm)
        if switchable:
            check.count_takeovers(1)
        left = torture.left_behind(before, torture.holdings(vm))
        check.result("nothing_left_behind", "-", "fail" if left else "pass", 0, "; ".join(left))
        with check.test("drivers_unload", "-"):
            vm.run(f"rmmod test_hmm {' '.join(torture.DRIVERS)}", check=True)
    if switchable:
        _found_out(check, guest)


def _compare_plans(vm):
    """The same plan each time, another one for another thread or another seed."""
    plans = [vm.run(f"exec {torture.IN_GUEST} -l {thread} -s {seed} -c 500", check=True).output
             for seed, thread in ((7, 1), (7, 1), (7, 2), (8, 1))]
    assert plans[0] == plans[1], "a plan differs from itself"
    assert len({*plans}) == 3, "plans are alike"


def _coherence(check, vm, which):
    outcome = torture.run(vm, _SECONDS, torture.seed())
    (check.log_dir / f"torture-{which}.log").write_text(outcome.output)
    check.result("coherence", which, "pass" if outcome.clean else "fail", outcome.seconds,
                 outcome.story)
    check.result("all_secondaries_used", which, "fail" if outcome.unused else "pass", 0,
                 " ".join(outcome.unused))


def _found_out(check, guest):
    """Cores with an invalidation left out: a stale read must show on each."""
    kernel = kbuild.target()
    known = suppressed.load()
    for name in _SUPPRESSED:
        check.note(f"a core on which {known[name].what}")
        begin = time.monotonic()
        found, how = suppressed.examine(known[name], kernel, None, guest, torture.seed())
        check.result(f"suppressed.{name}", "rust", "pass" if found else "fail",
                     time.monotonic() - begin, how)
