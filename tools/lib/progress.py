# SPDX-License-Identifier: GPL-2.0
"""Long steps: one line with the elapsed time, the output in a log file."""

import subprocess
import sys
import threading
import time
from pathlib import Path

_QUIET_SECONDS = 30  # without a terminal: a sign of life this often
_TAIL_LINES = 25


class Failed(Exception):
    """A step failed; the message is for the person at the terminal."""


def say(text: str) -> None:
    print(text, flush=True)


class Step:
    """A step of the set-up: `with Step("toolchain root", log) as step: step.run(...)`."""

    def __init__(self, title: str, log: Path, expect: str = ""):
        self.title = title
        self.log = log
        self._expect = f" ({expect})" if expect else ""
        self._over = threading.Event()

    def __enter__(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        self._begin = time.monotonic()
        self._live = sys.stdout.isatty()
        say(f"  {self.title}{self._expect} ...")
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()
        return self

    def __exit__(self, kind, error, _traceback):
        self._over.set()
        self._ticker.join()
        seconds = time.monotonic() - self._begin
        wipe = "\r\033[K" if self._live else ""
        verdict = "done" if kind is None else "stopped"
        say(f"{wipe}  {self.title}: {verdict} after {seconds:.0f} s")

    def _tick(self):
        while not self._over.wait(1 if self._live else _QUIET_SECONDS):
            seconds = int(time.monotonic() - self._begin)
            if self._live:
                print(f"\r    {seconds} s", end="", flush=True)
            else:
                say(f"    {self.title}: {seconds} s so far")

    def run(self, start, argv, hint: str = "", **kwargs) -> None:
        """Runs argv by `start` (a Popen-like callable); its output goes to the log."""
        with self.log.open("ab") as out:
            # The lock's descriptor is inherited: a child that survives us keeps it.
            process = start(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                            close_fds=False, **kwargs)
            try:
                status = process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if status != 0:
            raise Failed(self._report(argv, status, hint))

    def _report(self, argv, status, hint):
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        tail = "\n".join(f"    | {line}" for line in lines)
        parts = [f"{self.title}: `{argv[0]}` failed with status {status}", tail,
                 f"the whole output: {self.log}", hint]
        return "\n".join(part for part in parts if part)
