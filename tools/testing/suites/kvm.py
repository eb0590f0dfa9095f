# SPDX-License-Identifier: GPL-2.0
"""Upstream's KVM selftests with C and then with Rust in charge: both must end alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "upstream"))

import group_test  # noqa: E402
import groups  # noqa: E402
import runs  # noqa: E402

TITLE = "upstream's KVM selftests, with C and with Rust"
ORDER = 50
TIMEOUT = 1800


def run(check):
    group_test.run(check, groups.Kvm(runs.chosen(groups.Kvm.runs), check.note))
