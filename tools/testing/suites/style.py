# SPDX-License-Identifier: GPL-2.0
"""The sources by the kernel's own judges: rustfmt, clippy, and W=1 with modpost silent."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build"))

import style  # noqa: E402

TITLE = "rustfmt, clippy, W=1"
ORDER = -2


def run(check):
    for name, clean in (("rustfmt", style.fmt), ("clippy_and_w1", style.lint)):
        with check.test(name, "-"):
            assert clean(), f"make {'fmt-check' if name == 'rustfmt' else 'lint'} tells more"
