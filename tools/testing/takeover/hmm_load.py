# SPDX-License-Identifier: GPL-2.0
"""hmm-tests again and again as a load."""

import re

import tap

IN_GUEST = "/bin/hmm-tests"
# All but its benchmark, which takes as long as all the others.
_COMMAND = f"{IN_GUEST} -T benchmark_thp_migration"
_BEGIN = "TAP version 13\n"
# The harness gives each test half a minute by the clock, which a busy host may not suffice for.
_TIMED_OUT = re.compile(r"^# \w+: Test terminated by timeout\n(?:#.*\n)*not ok \d+ (\S+)$",
                        re.MULTILINE)
_FAILED = re.compile(r"^not ok \d+ (\S+)$", re.MULTILINE)


class HmmTests:
    name = "hmm-tests"
    brisk = False

    def __init__(self, vm):
        self._vm = vm
        self._job = vm.start(f"while :; do {_COMMAND}; done")

    def counters(self):
        """Returns what must grow while it is alive."""
        return {"tests": self._job.output().count("\nok ")}

    def running(self):
        return self._job.poll() is None

    def end(self):
        """Ends it, in the middle of a pass; returns what it found wrong."""
        if self.running():
            self._job.signal("KILL")
        output = self._job.wait().output
        # Each test is a process group of its own, which the signal did not reach.
        self._vm.run("killall -KILL hmm-tests; while pidof hmm-tests; do :; done")
        return judge(output.split(_BEGIN)[1:])


def judge(passes):
    """Returns what is wrong in what the passes printed, of which the last was not finished.

    A test that was out of time has no verdict; but it must have one in some pass.
    """
    *whole, last = passes or [""]
    if not whole:
        return ["not one pass was whole"]
    verdicts = {}
    for one in whole:
        slow = _TIMED_OUT.findall(one)
        for name, verdict in tap.results(one).items():
            verdicts.setdefault(name, set()).update([] if name in slow else [verdict])
    for name in set(_FAILED.findall(last)) - set(_TIMED_OUT.findall(last)):
        verdicts.setdefault(name, set()).add("fail")
    return [f"{name}: {' and '.join(sorted(found)) or 'never in time'}"
            for name, found in verdicts.items() if found not in ({"pass"}, {"skip"})]
