# SPDX-License-Identifier: GPL-2.0
"""Runs programs in a guest and returns what its core told; which core that is, is no matter here.

    with Guest("one", **recording.arguments(note)) as vm:
        recording.prepare(vm)
        corpus = recording.corpus(vm, tests)
        programs = recording.random_programs(vm, seed, 0, 1000)
"""

import sys
from dataclasses import dataclass
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path.append(str(_TESTING / "coverage"))

import compare_programs  # noqa: E402
import notifier_tests  # noqa: E402
import records  # noqa: E402
import tap  # noqa: E402
import testbed  # noqa: E402

# Events that a test of the corpus may bring.
_ROOM = 65536
# Only to end what hangs.
_TEST_TIMEOUT = 240
_PROGRAM_TIMEOUT = 30
_BATCH = 100
# Of what a program said when it failed.
_SAID = 200

# Nobody is to look at memory of his own accord: khugepaged looks at all before a test and before
# each batch of random programs, and then sleeps (programs/khugepaged.h), but not when it finds no
# huge page. And threads are numbered by their ids, which must not wrap.
_QUIET = """
echo 0 > /sys/kernel/mm/ksm/run
echo 4000000000 > /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
echo 4294967295 > /sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan
echo 0 > /sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs
echo 0 > /proc/sys/vm/compaction_proactiveness
echo 4194304 > /proc/sys/kernel/pid_max
"""


@dataclass(frozen=True)
class End:
    """How a test of the corpus ended."""

    verdicts: dict
    record: records.Program
    output: str


def arguments(note):
    """The arguments for a Guest; builds what it needs."""
    guest = testbed.arguments(note)
    driver = notifier_tests.built().driver
    modules = [f"{module} record={_ROOM}" if module == driver else module
               for module in guest["modules"]]
    return guest | {"programs": guest["programs"] | compare_programs.built(), "modules": modules}


def prepare(vm):
    """Sets the guest up, once."""
    testbed.prepare(vm)
    vm.run(f"set -e\n{_QUIET}", check=True)


def corpus(vm, tests):
    """Runs tests of the call sites, each alone; returns {test id: End}."""
    found = {}
    for test in tests:
        end = vm.run(f"exec {compare_programs.RECORDED} {test.command}", _TEST_TIMEOUT)
        output, _, _ = end.output.partition("\nrecord\n")
        verdicts = tap.results(output)
        try:
            record = records.recorded(test.id, end.output)
        except records.RecordError as error:
            record = records.Program(test.id)
            verdicts[str(error)] = "fail"
        found[test.id] = End(verdicts, record, end.output)
    return found


def random_programs(vm, seed, first, count, left_out=()):
    """Runs the random programs `first` and on; returns their records and what was printed."""
    # A test that was killed leaves its settings.
    vm.run(f"set -e\n{_QUIET}", check=True)
    found, printed = [], []
    for begin in range(first, first + count, _BATCH):
        number = min(_BATCH, first + count - begin)
        end = vm.run(f"exec {command(seed, begin, number, left_out)}",
                     60 + number * _PROGRAM_TIMEOUT)
        if end.status:
            raise records.RecordError(f"the random programs ended with status {end.status}: "
                                      f"{end.output[-_SAID:]}")
        printed.append(end.output)
        found += records.programs(end.output)
    return found, "".join(printed)


def command(seed, first, count, left_out=()):
    """How one runs programs by hand."""
    skip = f" -x {','.join(map(str, left_out))}" if left_out else ""
    return f"{compare_programs.RANDOM} -s {seed} -f {first} -n {count}{skip}"
