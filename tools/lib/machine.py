# SPDX-License-Identifier: GPL-2.0
"""A QEMU process, the channel to the agent in it, and the kernel log that it streams."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import channel
import kernel_log
import project
import qemu
from guest_job import GuestDied, GuestError, Job
from guest_log import GuestLog

_POWER_OFF_TIMEOUT = 30
_SEND_TIMEOUT = 60
_DUMP_TIMEOUT = 20
_DUMPED = "sysrq: HELP"
# QEMU's software emulation lacks some features of the processor it is asked for.
_EMULATION_GAP = "TCG doesn't support requested feature"


# In TAP, and by the torture.
_FAILED = re.compile(r"^(?:not ok|STALE|BROKEN)\b.*", re.M)

# Whose QEMU runs.
_running = set()


def kill_all():
    """Ends every guest of this process at once; those who wait for one hear that it died."""
    for machine in list(_running):
        machine.kill()


class Machine:
    """One run of QEMU. A thread of its own takes what the guest sends."""

    def __init__(self, name, log_dir):
        self.name = name
        self.log_dir = log_dir
        # Guards and announces all that the guest's frames change, jobs included.
        self.changed = threading.Condition(threading.RLock())
        self.died_early = False
        self.patience = project.kernel().patience
        self._qemu = None
        self._jobs = {}
        self._log = GuestLog(log_dir)
        self._ready = False
        self._gone = False
        self._ending = False
        self._stuck = False
        self._sending = threading.Lock()

    @property
    def ready(self):
        """Whether the guest ever answered."""
        return self._ready

    @property
    def alive(self):
        return self._ready and not self._gone

    @property
    def stuck(self):
        """Whether the guest, though alive, has stopped to answer."""
        return self._stuck

    def boot(self, initramfs, timeout, **hardware):
        """Starts QEMU and waits for the agent."""
        self._log.open()
        self._monitor, far_end = socket.socketpair()
        command = qemu.command(project.kernel().vmlinuz, initramfs, self._log.console_path,
                               far_end.fileno(), **hardware)
        with far_end, open(self.log_dir / "qemu.log", "wb") as errors:
            self._qemu = project.inside_popen(command, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE, stderr=errors,
                                              pass_fds=[far_end.fileno()],
                                              start_new_session=True)
        _running.add(self)
        self._reader = threading.Thread(target=self._read_frames, daemon=True)
        self._reader.start()
        with self.changed:
            self.changed.wait_for(lambda: self._ready or self._gone, timeout * self.patience)
            if not self._ready:
                raise self.death() if self._gone else GuestError(
                    f"{self.name}: did not boot within {timeout} s; console ends:\n"
                    f"{self._log.console_tail()}")

    def end(self):
        """Switches the guest off, or kills QEMU when the guest no longer obeys."""
        if self._qemu is None:
            return
        try:
            if self._stuck:
                with self.changed:
                    self._log.remark("the guest does not answer any more")
            elif self.alive:
                self._ending = True
                self.send(channel.POWER_OFF, timeout=_POWER_OFF_TIMEOUT)
                self._qemu.wait(_POWER_OFF_TIMEOUT * self.patience)
        except (GuestDied, subprocess.TimeoutExpired):
            with self.changed:
                self._log.remark(f"the guest did not switch off in {_POWER_OFF_TIMEOUT} s")
        finally:
            self._ending = True
            self.kill()
            self._qemu.wait()
            _running.discard(self)
            self._reader.join()
            self._log.close()
            self._monitor.close()
            self._qemu.stdout.close()
            with contextlib.suppress(OSError):  # what a dead guest did not take
                self._qemu.stdin.close()
            with open(self.log_dir / "jobs.log", "w", encoding="utf-8") as transcript:
                transcript.writelines(job.transcript() for job in self._jobs.values())

    def kill(self):
        """Ends QEMU at once, if it still runs."""
        if self._qemu.poll() is None:
            os.killpg(self._qemu.pid, signal.SIGKILL)

    def send(self, kind, job=0, payload=b"", timeout=_SEND_TIMEOUT):
        """Sends a frame to the agent; a guest that does not take it is killed."""
        if self._gone:
            raise self.death()
        # The write may block, or that of another thread; only the end of the reader wakes it then.
        timeout *= self.patience
        overdue = threading.Timer(timeout, self._refuse_to_wait, [timeout])
        overdue.start()
        try:
            with self._sending:
                channel.send(self._qemu.stdin, kind, job, payload)
        except OSError:
            raise self.death() from None
        finally:
            overdue.cancel()

    def _refuse_to_wait(self, timeout):
        with self.changed:
            self._log.remark(f"the guest took no command for {timeout} s")
        self.kill()

    def start(self, command, stdin=None, terminal=False, on_output=None):
        """Starts a shell command; `stdin` (bytes) becomes its standard input."""
        flags = ((channel.WITH_INPUT if stdin is not None else 0)
                 | (channel.ON_TERMINAL if terminal else 0))
        with self.changed:
            number = len(self._jobs) + 1
            job = self._jobs[number] = Job(self, number, command, on_output)
        self.send(channel.START, number, bytes([flags]) + command.encode())
        if stdin is not None:
            for piece in channel.pieces(stdin):
                self.send(channel.INPUT, number, piece)
            self.send(channel.INPUT, number)
        return job

    def log(self):
        """Returns the kernel log so far."""
        with self.changed:
            return self._log.text()

    def failures_so_far(self):
        """Returns the lines by which a program that has not ended told of a test that failed."""
        with self.changed:
            jobs = [job for job in self._jobs.values() if not job.ended]
        return [line for job in jobs for line in _FAILED.findall(job.output())]

    def death(self):
        """Returns the exception for a guest that is gone."""
        said = kernel_log.complaints(self.log())
        why = f" ({said[0]})" if said else ""
        return GuestDied(f"{self.name}: the guest died{why}\n{self._qemu_errors()}"
                         f"{self._log.console_tail()}\nThe rest is in {self.log_dir}.")

    def dump_tasks(self):
        """Puts the stacks of blocked tasks and busy processors into the kernel log.

        Returns when they are there, or when the guest does not answer any more.
        """
        try:
            self.send(channel.SYSRQ, 0, b"wl")
            answer = self.start("true")
        except GuestDied:
            return
        with self.changed:
            self.changed.wait_for(lambda: answer.ended or self._gone,
                                  _DUMP_TIMEOUT * self.patience)
            self._stuck = not answer.ended
        if self._stuck:
            self._dump_by_keyboard()

    def _dump_by_keyboard(self):
        """The same without the agent, which is stuck itself; only the console gets the dump."""
        before = self._log.console().count(_DUMPED)
        try:
            for key in "wlh":
                self._monitor.sendall(f"sendkey alt-sysrq-{key}\n".encode())
        except OSError:
            return  # QEMU is gone, and whoever waits for the guest hears of that
        end = time.monotonic() + _DUMP_TIMEOUT
        while time.monotonic() < end and not self._gone:
            if self._log.console().count(_DUMPED) > before:
                return
            time.sleep(0.1)

    def _read_frames(self):
        try:
            for frame in channel.frames(self._qemu.stdout):
                with self.changed:
                    self._take(*frame)
                    self.changed.notify_all()
        finally:
            # Whatever ended the reading: nothing more will be heard of this guest.
            with self.changed:
                self._log.add_late_console()
                self._gone = True
                self.died_early = not self._ending
                self.changed.notify_all()

    def _take(self, kind, number, payload):
        if kind == channel.READY:
            self._ready = True
        elif kind == channel.LOG:
            self._log.record(payload.decode(errors="replace"))
        elif number in self._jobs:
            self._jobs[number].receive(kind, payload)

    def _qemu_errors(self):
        lines = (self.log_dir / "qemu.log").read_text(errors="replace").splitlines(keepends=True)
        return "".join(line for line in lines if _EMULATION_GAP not in line)
