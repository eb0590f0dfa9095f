# SPDX-License-Identifier: GPL-2.0
"""Upstream's hmm-tests with C and then with Rust in charge: every single test must end alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "upstream"))

import cores  # noqa: E402
import tap  # noqa: E402
import upstream  # noqa: E402

TITLE = "upstream's hmm-tests, with C and with Rust"
ORDER = 40

_HUGE_PAGES = 256
# DAMON takes references to pages to look at them, and a page that someone else has a reference to
# does not migrate: with it a third of the runs of benchmark_thp_migration failed, on C.
_QUIET = "damon_stat.enabled=N"
# Only to end what hangs.
_TIMEOUT = 600


def run(check):
    programs = upstream.built(check.note)
    with check.guest("stock", programs={"/bin/hmm-tests": programs.hmm_tests},
                     modules=[programs.test_hmm], cmdline=_QUIET) as vm:
        verdicts = cores.on_each(vm, lambda core: _hmm_tests(check, vm, core))
        with check.test("test_hmm_unloads", "-"):
            vm.run("rmmod test_hmm", check=True)
    _write_table(check, verdicts)
    different = [name for name in verdicts["c"] | verdicts["rust"]
                 if verdicts["c"].get(name) != verdicts["rust"].get(name)]
    check.result("hmm_tests.same", "-", "fail" if different else "pass", 0,
                 f"{len(verdicts['c'])} tests compared; different: {' '.join(different) or 'none'}")


def _hmm_tests(check, vm, core):
    """Runs the program and returns the verdict on each of its tests."""
    vm.write("/proc/sys/vm/nr_hugepages", str(_HUGE_PAGES))
    reserved = int(vm.read("/proc/sys/vm/nr_hugepages"))
    assert reserved == _HUGE_PAGES, f"only {reserved} huge pages of {_HUGE_PAGES}"
    end = vm.run("exec hmm-tests", _TIMEOUT)
    (check.log_dir / f"hmm-tests-{core}.log").write_text(end.output)
    verdicts = tap.results(end.output)
    failed = [name for name, verdict in verdicts.items() if verdict == "fail"]
    note = tap.counts(verdicts.values()) + (f": {' '.join(failed)}" if failed else "")
    good = end.status == 0 and not failed and "pass" in verdicts.values()
    check.result("hmm_tests", core, "pass" if good else "fail", end.seconds, note)
    return verdicts


def _write_table(check, verdicts):
    names = verdicts["c"] | verdicts["rust"]
    (check.log_dir / "comparison.txt").write_text("".join(
        f"{verdicts['c'].get(name, 'missing'):8} {verdicts['rust'].get(name, 'missing'):8} {name}\n"
        for name in names))
