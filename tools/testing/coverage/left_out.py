#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Leaves each call site out in turn, and wants a test that says it reaches it to fail.

    tools/testing/coverage/left_out.py [SITE or TEST...]

What a test of `make check` does not notice here it would not notice in a core, either. On C's core:
what is left out is a call of the kernel, whoever serves it.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "upstream"),
                *(str(_HERE.parents[1] / name) for name in ("lib", "build"))]

import kbuild  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
import sites  # noqa: E402
import test_programs  # noqa: E402
import testbed  # noqa: E402
from guest import Guest  # noqa: E402

_SOURCES = _HERE / "leave_out"
_PARAMETERS = "/sys/module/leave_out/parameters"
# Tests that wait for what does not come any more are ended by the harness after 30 s.
_TIMEOUT = 300


def module():
    """Builds the module that leaves sites out and returns its path."""
    kernel = kbuild.target()
    folder = project.BUILD / "coverage" / kernel.release / "leave_out"
    folder.mkdir(parents=True, exist_ok=True)
    kbuild.sync(folder, {Path(path.name): path.read_text() for path in _SOURCES.iterdir()})
    log = folder.with_suffix(".log")
    log.write_text("")
    kbuild.make(kernel, folder, log)
    return folder / "leave_out.ko"


def addresses(vm, chosen):
    """Returns {site id: where its calls return to in this guest}."""
    symbols = {}
    for line in vm.read("/proc/kallsyms").splitlines():
        address, _, name, *_ = line.split()
        symbols.setdefault(name, []).append(int(address, 16))
    found = {}
    for site in chosen:
        if many := [name for name, _ in site.returns if len(symbols[name]) != 1]:
            sys.exit(f"{site.id}: more than one symbol is {many[0]}")
        found[site.id] = [symbols[name][0] + offset for name, offset in site.returns]
    return found


def without(vm, callers, test):
    """Runs a test, then with the calls left out; returns "noticed", or what else."""
    if vm.run(f"exec {test.command}", _TIMEOUT).status != 0:
        return "fails anyway"
    vm.write(f"{_PARAMETERS}/callers", ",".join(map(str, callers)))
    vm.write(f"{_PARAMETERS}/left_out", "0")
    end = vm.run(f"exec {test.command}", _TIMEOUT)
    vm.write(f"{_PARAMETERS}/callers", "0")
    if vm.read(f"{_PARAMETERS}/left_out") == "0\n":
        return "not reached"
    return "noticed" if end.status != 0 else "not noticed"


def main():
    wanted = set(sys.argv[1:])
    with lock.run("leaving call sites out"):
        tests = test_programs.tests()
        known = {site.id: site for site in sites.sites(print)}
        pairs = [(known[site], test) for test in tests for site in test.reaches
                 if not wanted or wanted & {site, test.id, test.program}]
        arguments = testbed.arguments(print)
        arguments["modules"] = [*arguments["modules"], module()]
        noticed = {}
        with Guest("left_out", **arguments) as vm:
            testbed.prepare(vm)
            callers = addresses(vm, {site for site, _ in pairs})
            for site, test in pairs:
                verdict = without(vm, callers[site.id], test)
                noticed.setdefault(site.id, []).append(verdict == "noticed")
                print(f"{verdict:12} {site.id} {test.id}", flush=True)
    missed = [site for site, verdicts in noticed.items() if not any(verdicts)]
    print(f"{len(noticed) - len(missed)} of {len(noticed)} sites are missed when they are left out")
    sys.exit(f"noticed by no test: {' '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
