# SPDX-License-Identifier: GPL-2.0
"""What is wrong in mm/mmu_notifier.c: each test fails with C in its way, and passes with Rust.

Documentation/findings.rst tells what they are. If C no longer fails, this does: then it is to be
heard of.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "upstream")]

import cores  # noqa: E402
import notifier_tests  # noqa: E402
import tap  # noqa: E402

TITLE = "what is wrong in C, and not in Rust"
ORDER = 33

_WARNED = (r"WARNING: mm/mmu_notifier\.c:\d+ at ",
           r"WARNING: \w+\.rs:\d+ at .*\[mmu_notifier_rust\]")
_TIMEOUT = 200


@dataclass(frozen=True)
class Finding:
    """A test, and what it says of a core that is wrong."""

    program: str
    test: str
    says: str

    @property
    def command(self):
        return f"MNT_STRICT=1 {self.program} -t {self.test}"


_QUIET = (
    Finding("frees", "synchronize_waits_for_frees", "synchronize left frees pending"),
    Finding("nonblocking", "the_list_says_eagain_after_the_intervals", "the range stays active"),
    Finding("findings", "a_stuck_callback_holds_up_no_other_process",
            "unregister waits for another process"),
    Finding("findings", "a_registration_that_waits_holds_up_no_other",
            "register waits for another process"),
)
_LOUD = (
    Finding("findings", "a_start_that_fails_is_ended_once", "an end without its start"),
)
FINDINGS = _QUIET + _LOUD


def run(check):
    tests = notifier_tests.built()
    for name, findings, allowed in ("quiet", _QUIET, ()), ("warned", _LOUD, _WARNED):
        with check.guest(name, allow=allowed, **notifier_tests.guest_of(tests)) as vm:
            notifier_tests.prepare(vm)
            cores.on_each(vm, lambda core, of=findings: _look(check, vm, core, of))
            check.count_takeovers(1)


def _look(check, vm, core, findings):
    for finding in findings:
        end = vm.run(finding.command, _TIMEOUT)
        (check.log_dir / f"{finding.test}-{core}.log").write_text(end.output)
        wrong = judge(core, finding.says, [*tap.results(end.output).values()], end.output)
        check.result(f"{finding.program}.{finding.test}", core, "fail" if wrong else "pass",
                     end.seconds, wrong or (f"as known: {finding.says}" if core == "c" else ""))


def judge(core, says, verdicts, output):
    """What is wrong with the end of a test, as a line of text; empty if all is as known."""
    if len(verdicts) != 1 or verdicts[0] not in ("pass", "fail"):
        return f"one verdict was expected, not {verdicts}"
    if core == "rust":
        return "" if verdicts == ["pass"] else "Rust fails as well"
    if verdicts == ["pass"]:
        return "C no longer does it: Documentation/findings.rst is out of date"
    return "" if says in output else f"C fails in another way than by: {says}"
