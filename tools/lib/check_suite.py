# SPDX-License-Identifier: GPL-2.0
"""What a test suite of `make check` is given, and how one is run apart from the others."""

import contextlib
import importlib.util
import math
import shutil
import signal
import threading
import time
import traceback

import machine
import project
import watchers
from guest import Guest

# Only to end what hangs: several times what the longest suite takes that has no limit of its own.
_SUITE_TIMEOUT = 900
# How long a suite may clean up after its time is over.
_GRACE = 120
# What tells nothing for so long hangs, even if its time would not have sufficed: several times what
# a test takes on a kernel that watches itself.
_SILENCE = 300
_HEARTBEAT = 10


class SuiteTimeout(BaseException):
    """A suite took longer than it may. No `except Exception` of a suite may go on after it."""


class _CutOff(SuiteTimeout):
    """The time is over, and that is no fault of the suite."""


def _over(fit, text):
    return (_CutOff if fit else SuiteTimeout)(text)


class Check:
    """The way of one suite to report."""

    def __init__(self, suite, report):
        self.suite = suite
        self.log_dir = project.RESULTS / suite
        self._report = report
        self._running = []
        self._used_names = set()
        self._cut_off = False
        self._told = time.monotonic()

    def cut_off(self):
        """Drops what comes now, but for what has gone wrong before: the guests are taken away."""
        self._cut_off = True

    def is_cut_off(self):
        return self._cut_off

    def is_silent(self):
        """Whether nothing has come for so long that it must hang."""
        return time.monotonic() - self._told > _SILENCE

    def result(self, name, core, result, seconds=0.0, note=""):
        """Reports a test. `core` is "c", "rust" or "-"; `result` "pass", "fail" or "skip"."""
        if not self._cut_off:
            self._say(name, core, result, seconds, note)

    def _say(self, name, core, result, seconds, note):
        self._told = time.monotonic()
        prefix = f"{self.suite}."
        full = name if name.startswith(prefix) else prefix + name
        self._report.result(full, core, result, seconds, note)

    @contextlib.contextmanager
    def test(self, name, core):
        """Reports what happens in a `with` block: pass, or fail for an exception."""
        begin = time.monotonic()
        try:
            yield
        except Exception as error:
            self._write_traceback(name)
            self.result(name, core, "fail", time.monotonic() - begin, _brief(error))
        else:
            self.result(name, core, "pass", time.monotonic() - begin)

    def note(self, text):
        """Prints a line that is no result."""
        self._told = time.monotonic()
        self._report.comment(f"{self.suite}: {text}")

    def count_takeovers(self, count):
        self._report.count_takeovers(count)

    @contextlib.contextmanager
    def guest(self, name, allow=(), watched=True, kind=Guest, **arguments):
        """A Guest whose kernel log is a test of its own.

        `allow` lists patterns of complaints that the suite provokes; each must come. What watches
        in the kernel is asked for its last word, which is a test as well, unless not `watched`.
        `kind` is the class of the guest.
        """
        if name in self._used_names:
            raise ValueError(f"{self.suite}: a second guest named {name} would take the first's logs")
        self._used_names.add(name)
        vm = kind(f"{self.suite}.{name}", log_dir=self.log_dir / name, **arguments)
        begin = time.monotonic()
        self._running.append(name)
        try:
            with vm:
                self.note(f"guest {name} booted in {vm.boot_seconds:.1f} s")
                yield vm
                if watched and vm.alive:
                    self._last_words(vm, name)
        finally:
            self._running.remove(name)
            complaints = vm.unexpected(allow) if self._cut_off else vm.complaints(allow)
            if vm.races_elsewhere:
                self.note(f"guest {name}: {vm.races_elsewhere} data races that are not the core's")
            more = f" (+{len(complaints) - 1} more, see dmesg.log)" if len(complaints) > 1 else ""
            if complaints or not self._cut_off:
                self._say(f"{name}.kernel_log", "-", "fail" if complaints else "pass",
                          time.monotonic() - begin, complaints[0] + more if complaints else "")

    def _last_words(self, vm, name):
        for watcher, found in watchers.last_words(vm).items():
            (self.log_dir / name / f"{watcher}.log").write_text(found)
            self.result(f"{name}.{watcher}", "-", "fail" if found else "pass", 0,
                        found[:200])

    def activity(self):
        return f"in guest {', '.join(self._running)}" if self._running else "at work"

    def _write_traceback(self, name):
        self.log_dir.mkdir(parents=True, exist_ok=True)
        path = self.log_dir / f"{name.replace('/', '_')}.traceback"
        path.write_text(traceback.format_exc())

    def fail_with_traceback(self, name, seconds, error):
        """Reports the exception being handled as a failed test."""
        self._write_traceback(name)
        self.result(name, "-", "fail", seconds, _brief(error))


def _brief(error):
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


class Suite:
    """One file of tools/testing/suites."""

    def __init__(self, path, prefix=""):
        self.name = prefix + path.stem
        self.title, self.order, self._run = "", 100, None
        try:
            spec = importlib.util.spec_from_file_location(f"suite_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self.title = getattr(module, "TITLE", "")
            self.order = getattr(module, "ORDER", 100)
            self.timeout = getattr(module, "TIMEOUT", _SUITE_TIMEOUT)
            self._run = module.run
        except Exception:
            self.timeout = _SUITE_TIMEOUT
            self._broken = traceback.format_exc()

    def run(self, report, left=math.inf, fit=False):
        """Runs the suite within `left` seconds; whatever it does, the other suites can go on.

        What does not fit into them has failed; with `fit` it is skipped.
        """
        check = Check(self.name, report)
        shutil.rmtree(check.log_dir, ignore_errors=True)
        before, begin = report.count(), time.monotonic()
        report.comment("")
        report.comment(f"{self.name}: {self.title}" if self.title else self.name)
        try:
            if self._run is None:
                raise ImportError(self._broken)
            if left <= 0:
                raise _over(fit, "not run: the time of the whole check is over")
            limit = self.timeout * project.kernel().patience
            fit = fit and left < limit
            with _time_limit(check, min(limit, left), fit), _heartbeat(check, report):
                self._run(check)
            if report.count() == before:
                raise RuntimeError("the suite ended without a single test")
        except (Exception, SystemExit, SuiteTimeout) as error:
            # Cut off, what a clean-up says about its guests is no finding.
            if check.is_cut_off() or isinstance(error, _CutOff):
                report.result(f"{self.name}.suite", "-", "skip", 0, str(error))
            else:
                check.fail_with_traceback("suite", time.monotonic() - begin, error)
        report.suite_done(self.name, time.monotonic() - begin, report.count() - before)


@contextlib.contextmanager
def _time_limit(check, seconds, fit):
    skipped = None

    def expire(*_):
        nonlocal skipped
        if skipped is None:
            skipped = fit and not check.is_silent()
            if skipped:
                check.cut_off()
        # First, since threads that wait for a guest hear of its end, but not of an exception here.
        machine.kill_all()
        raise _over(skipped, f"{check.suite} did not end within {seconds:.0f} s")

    previous = signal.signal(signal.SIGALRM, expire)
    # The second alarm is for a clean-up that hangs as well.
    outer = signal.setitimer(signal.ITIMER_REAL, seconds, _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, *outer)


@contextlib.contextmanager
def _heartbeat(check, report):
    over = threading.Event()

    def beat():
        while not over.wait(_HEARTBEAT):
            report.heartbeat(f"{check.suite}: {check.activity()}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
