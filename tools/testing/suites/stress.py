# SPDX-License-Identifier: GPL-2.0
"""The stress, shortly, with C and Rust in charge in turns. `make stress` runs it for longer."""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in (
    "stress", "torture", "takeover", "upstream", "selftests/mmu_notifier", "../build")]

import project  # noqa: E402
import stress  # noqa: E402
import torture  # noqa: E402

TITLE = "everything at once, with C and Rust in charge in turns"
ORDER = 62
# It goes on until every job has done all that it must.
TIMEOUT = 900

_SECONDS = 60


def run(check):
    # What cannot be live-patched keeps to its core.
    takeovers = project.kernel().core is None
    guest = stress.guest(takeovers, check.note, project.MODULE if takeovers else None)
    check.note(f"seed {torture.seed()}")
    with check.guest("everything", allow=stress.ANNOUNCED, **guest) as vm:
        outcome = stress.run(vm, _SECONDS, torture.seed(), check.note, takeovers)
        check.count_takeovers(outcome.counters.get("takeovers.takeovers", 0))
        check.result("nothing_wrong", "-", "fail" if outcome.problems else "pass",
                     outcome.seconds, "; ".join(outcome.problems) or outcome.story)
