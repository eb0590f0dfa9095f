# SPDX-License-Identifier: GPL-2.0
"""Upstream's hmm-tests with C and then with Rust in charge: every single test must end alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "upstream"))

import group_test  # noqa: E402
import groups  # noqa: E402
import runs  # noqa: E402

TITLE = "upstream's hmm-tests, with C and with Rust"
ORDER = 40


def run(check):
    def unload(vm):
        with check.test("test_hmm_unloads", "-"):
            vm.run("rmmod test_hmm", check=True)

    group_test.run(check, groups.Hmm(runs.chosen(groups.Hmm.runs), check.note), unload)
