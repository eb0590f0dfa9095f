#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make fmt-check` and `make lint`: rustfmt on all Rust sources, clippy on the module's."""

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import lock  # noqa: E402
import module  # noqa: E402
import project  # noqa: E402


def fmt():
    files = [path for path in TOP.rglob("*.rs") if project.BUILD not in path.parents]
    return project.inside(["rustfmt", "--check", "--color=never", *sorted(files)],
                          stdout=sys.stderr).returncode == 0


def lint():
    try:
        module.build(module.target(), project.BUILD / "lint", clippy=True)
    except module.BuildFailed as error:
        print(error, file=sys.stderr)
        return False
    return True


def main():
    checks = {"fmt": fmt, "lint": lint}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(checks)}")
    try:
        with lock.run(f"style.py {sys.argv[1]}"):
            clean = checks[sys.argv[1]]()
    except project.SetupMissing as error:
        sys.exit(str(error))
    print(f"  {sys.argv[1]}: {'clean' if clean else 'see above'}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
