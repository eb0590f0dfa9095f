# SPDX-License-Identifier: GPL-2.0
"""The sources by the kernel's own judges: rustfmt, clippy, and W=1 with modpost silent."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build"))

import style  # noqa: E402

TITLE = "rustfmt, clippy, W=1"
ORDER = -2


def run(check):
    for name, complaints in (("rustfmt", style.fmt), ("clippy_and_w1", style.lint)):
        with check.test(name, "-"):
            said = complaints()
            check.log_dir.mkdir(parents=True, exist_ok=True)
            (check.log_dir / f"{name}.log").write_text(said)
            assert not said, said
