# SPDX-License-Identifier: GPL-2.0
"""A command running in a guest, and what can go wrong with it."""

import os
import signal
from dataclasses import dataclass

import channel

_TAIL = 4000


class GuestError(Exception):
    """Something in the guest did not go as asked."""


class GuestDied(GuestError):
    """The guest is gone: it panicked, or QEMU ended."""


class GuestTimeout(GuestError):
    """A command did not end in time; it has been killed."""


@dataclass(frozen=True)
class Result:
    """How a command ended: exit status (minus the signal's number if killed by one)."""

    status: int
    output: str
    seconds: float


class Job:
    """A shell command in the guest, leader of its own process group."""

    def __init__(self, machine, number, command, on_output=None):
        self.command = command
        self._machine = machine
        self._number = number
        self._pieces = []
        self._on_output = on_output
        self._refusal = None
        self._end = None

    def poll(self):
        """Returns the exit status, or None while the command runs."""
        with self._machine.changed:
            if self._end:
                return self._end[0]
        if not self._machine.alive:
            raise self._machine.death()
        return None

    @property
    def ended(self):
        """Whether the command has ended."""
        return self._end is not None

    def output(self):
        """Returns what it has printed so far."""
        with self._machine.changed:
            return b"".join(self._pieces).decode(errors="replace")

    def wait(self, timeout=60):
        """Waits for the end and returns the Result.

        When time runs out, the stacks of blocked tasks go to the kernel log, the process group is
        killed, and GuestTimeout is raised.
        """
        self._wait(lambda: self._end, timeout, "did not end")
        status, seconds = self._end
        return Result(status, self.output(), seconds)

    def wait_output(self, text, timeout=60):
        """Waits until `text` is in the output."""
        self._wait(lambda: text in self.output() or self._end, timeout,
                   f"did not print {text!r}")
        if text not in self.output():
            raise GuestError(f"{self._machine.name}: `{self.command}` ended with status "
                             f"{self._end[0]} before it printed {text!r}:\n{self.output()}")

    def signal(self, which="TERM"):
        """Signals the process group; `which` is a name ("KILL") or a number."""
        number = which if isinstance(which, int) else getattr(signal, f"SIG{which}")
        self._machine.send(channel.SIGNAL, self._number, bytes([number]))

    def write(self, content):
        """Feeds standard input of a job started with `stdin` or on a terminal."""
        self._machine.send(channel.INPUT, self._number, content)

    def resize(self, rows, columns):
        """Tells a job on a terminal how large its window is."""
        size = rows.to_bytes(2, "little") + columns.to_bytes(2, "little")
        self._machine.send(channel.WINDOW, self._number, size)

    def receive(self, kind, payload):
        """Takes a frame from the guest. The caller holds `machine.changed`."""
        if kind == channel.OUTPUT:
            self._pieces.append(payload)
            if self._on_output:
                self._on_output(payload)
        elif kind == channel.ENDED:
            status, seconds = channel.ended(payload)
            self._end = (os.waitstatus_to_exitcode(status), seconds)
        elif kind == channel.REFUSED:
            self._refusal = payload.decode(errors="replace")

    def transcript(self):
        """Returns the command, its output and its end, for the guest's job log."""
        end = f"status {self._end[0]}, {self._end[1]:.3f} s" if self._end else "did not end"
        output = self.output()
        newline = "" if output.endswith("\n") or not output else "\n"
        return f"$ {self.command}\n{output}{newline}[{end}]\n\n"

    def _wait(self, condition, timeout, what):
        timeout = timeout and timeout * self._machine.patience
        with self._machine.changed:
            self._machine.changed.wait_for(
                lambda: condition() or self._refusal or not self._machine.alive, timeout)
            if condition():
                return
        if self._refusal:
            raise GuestError(f"{self._machine.name}: could not start a shell: {self._refusal}")
        if not self._machine.alive:
            raise self._machine.death()
        self._machine.dump_tasks()
        self.signal("KILL")
        raise GuestTimeout(f"{self._machine.name}: `{self.command}` {what} within {timeout} s; "
                           f"blocked tasks are in {self._machine.log_dir}/dmesg.log. Output so far:\n"
                           f"{self.output()[-_TAIL:]}")
