# SPDX-License-Identifier: GPL-2.0
"""What `make check` prints and writes down about its tests."""

import json
import threading
import time

_OUTCOMES = ("pass", "fail", "skip")
_CORES = ("c", "rust", "-")
_SILENCE = 60


class DuplicateTest(Exception):
    """A test reported twice for one core: one of the two results would be lost."""


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Report:
    """Collects results, prints each at once as a TAP line, and writes the summary."""

    def __init__(self, directory, kernel, whole=True):
        directory.mkdir(parents=True, exist_ok=True)
        # A run of some suites only must not be taken for one of all.
        name = "summary" if whole else "summary.selected"
        self._summary = directory / f"{name}.json"
        # A summary that is there belongs to a run that came to its end.
        self._summary.unlink(missing_ok=True)
        self._tap = open(directory / "check.tap", "w", encoding="utf-8")
        self._kernel = kernel
        self._tests = []
        self._seen = set()
        self._takeovers = 0
        self._suites = []
        self._begin = self._last = time.monotonic()
        self._lock = threading.RLock()
        self._say("TAP version 13")

    def comment(self, text):
        for line in text.splitlines() or [""]:
            self._say(f"# {line}".rstrip())

    def result(self, name, core, outcome, seconds=0.0, note=""):
        if outcome not in _OUTCOMES or core not in _CORES:
            raise ValueError(f"{name}: result {outcome!r}, core {core!r} are not known")
        with self._lock:
            if (name, core) in self._seen:
                raise DuplicateTest(f"{name} [{core}] was reported before")
            self._seen.add((name, core))
            note = " ".join(note.split())
            self._tests.append({"name": name, "core": core, "result": outcome,
                                "seconds": round(seconds, 3), "note": note})
            ok = "not ok" if outcome == "fail" else "ok"
            skip = "SKIP " if outcome == "skip" else ""
            duration = "" if outcome == "skip" else f"{seconds:.1f} s, "
            detail = f"{duration}at {clock(self.elapsed())}{': ' if note else ''}{note}"
            on = "" if core == "-" else f" [{core}]"
            self._say(f"{ok} {len(self._tests)} - {name}{on} # {skip}{detail}")

    def count_takeovers(self, count):
        with self._lock:
            self._takeovers += count

    def suite_done(self, name, seconds, tests):
        self._suites.append((name, seconds, tests))

    def count(self):
        return len(self._tests)

    def failures(self):
        return sum(test["result"] == "fail" for test in self._tests)

    def elapsed(self):
        return time.monotonic() - self._begin

    def heartbeat(self, text):
        """Prints `text` when nothing has been printed for a while."""
        with self._lock:
            if time.monotonic() - self._last >= _SILENCE:
                self.comment(f"{text} (at {clock(self.elapsed())})")

    def finish(self):
        """Writes the summary, prints the closing lines and returns the exit status."""
        totals = {plural: sum(test["result"] == outcome for test in self._tests)
                  for plural, outcome in zip(("passed", "failed", "skipped"), _OUTCOMES)}
        self._say(f"1..{len(self._tests)}")
        width = max([len(name) for name, _, _ in self._suites] + [5])
        for name, seconds, tests in self._suites:
            self.comment(f"{name:{width}} {clock(seconds):>6} {tests:4} tests")
        self.comment(f"{'total':{width}} {clock(self.elapsed()):>6} {len(self._tests):4} tests")
        for test in self._tests:
            if test["result"] == "fail":
                self.comment(f"failed: {test['name']} [{test['core']}] {test['note']}")
        new = self._summary.with_suffix(".new")
        new.write_text(json.dumps({"kernel": self._kernel, "tests": self._tests,
                                   "takeovers": self._takeovers, "totals": totals},
                                  indent=1) + "\n")
        new.rename(self._summary)
        self._say(", ".join(f"{count} {name}" for name, count in totals.items()))
        self._tap.close()
        return 0 if totals["passed"] and not totals["failed"] else 1

    def _say(self, line):
        with self._lock:
            self._last = time.monotonic()
            print(line, flush=True)
            self._tap.write(line + "\n")
            self._tap.flush()
