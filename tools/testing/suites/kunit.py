# SPDX-License-Identifier: GPL-2.0
"""The core's unit tests, beside the code in Rust: User Mode Linux with the core built in runs them.

They need no real address space: see Documentation/testing.rst.
"""

import sys
import time
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in ("kunit", "../lib")]

import kernel_log  # noqa: E402
import ktap  # noqa: E402
import project  # noqa: E402
import uml  # noqa: E402

TITLE = "unit tests of the core, built into User Mode Linux"
ORDER = 5
# Most of a kernel is built, the first time.
TIMEOUT = 2400


def run(check):
    check.log_dir.mkdir(parents=True, exist_ok=True)
    program = None
    with check.test("build", "-"):
        program = uml.built(project.kernel())
    for name, complaints in uml.compiles_otherwise():
        check.result(f"build.{name}", "-", "fail" if complaints else "pass", 0, complaints)
    if program is None:
        return
    begin = time.monotonic()
    console = uml.run(program)
    seconds = time.monotonic() - begin
    (check.log_dir / "console.log").write_text(console)
    found = ktap.outcomes(console, uml.PREFIX)
    for outcome in found + ktap.missing(found, uml.suites()):
        suite = outcome.suite.removeprefix(uml.PREFIX)
        check.result(f"{suite}.{outcome.test}", "rust", outcome.verdict,
                     seconds / max(len(found), 1), outcome.note)
    complaints = kernel_log.complaints(console)
    check.result("kernel_log", "-", "fail" if complaints else "pass", seconds,
                 complaints[0] if complaints else "")
