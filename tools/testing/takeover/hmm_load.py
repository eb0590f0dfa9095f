# SPDX-License-Identifier: GPL-2.0
"""hmm-tests again and again as a load."""

import tap

IN_GUEST = "/bin/hmm-tests"
# All but its benchmark, which takes as long as all the others.
_COMMAND = f"{IN_GUEST} -T benchmark_thp_migration"
_BEGIN = "TAP version 13\n"


class HmmTests:
    name = "hmm-tests"
    brisk = False

    def __init__(self, vm):
        self._vm = vm
        self._job = vm.start(f"while {_COMMAND}; do :; done")

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
        *passes, _ = output.split(_BEGIN)[1:]
        verdicts = [tap.results(one) for one in passes]
        wrong = [line for line in output.splitlines() if line.startswith("not ok ")]
        if not passes:
            wrong.append("not one pass was whole")
        if any(one != verdicts[0] for one in verdicts):
            wrong.append("its passes differ")
        return wrong
