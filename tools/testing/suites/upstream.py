# SPDX-License-Identifier: GPL-2.0
"""Upstream's mm selftests with subscribers attached, and RDMA on demand, with C and with Rust.

Those that take long are in `make upstream`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "upstream"))

import group_test  # noqa: E402
import groups  # noqa: E402
import runs  # noqa: E402

TITLE = "upstream's mm selftests with subscribers attached, with C and with Rust"
ORDER = 45
TIMEOUT = 2400


def run(check):
    group_test.run(check, groups.Mm(runs.chosen(groups.Mm.runs), check.note))
