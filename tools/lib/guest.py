# SPDX-License-Identifier: GPL-2.0
"""Boots the stock kernel in QEMU and runs commands in it.

    with Guest("example", modules=["kvm-amd"]) as vm:
        print(vm.run("ls -l /dev/kvm").output)

Software emulation (TCG) is used always, so that every machine gives the same result.
"""

import base64
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path

import channel
import kernel_log
import project
import qemu
from initramfs import MODULES, Image
from guest_job import GuestDied, GuestError, Job

__all__ = ["Guest", "GuestDied", "GuestError"]

_BOOT_TIMEOUT = 180
_POWER_OFF_TIMEOUT = 30
_SYSRQ_TIMEOUT = 20
_CONSOLE_TAIL = 40


class Guest:
    """One guest, from boot to power-off; a context manager.

    `programs` and `files` map paths in the guest to host paths (files: or to their content);
    dynamically linked programs bring their libraries along. `modules` lists stock modules by name
    and the project's own by path, each with optional arguments ("test_hmm spm_addr_dev0=1");
    they are loaded at start, in order, after what they depend on, unless `load` is False.
    """

    def __init__(self, name, programs=None, modules=(), files=None, cpus=2, memory="4G",
                 cmdline="", cpu="EPYC,svm=on,npt=on", log_dir=None, load=True):
        self.name = name
        self.log_dir = Path(log_dir or project.RESULTS / name)
        self.boot_seconds = None
        self._image = dict(programs=programs, files=files, modules=modules)
        self._machine = dict(cpus=cpus, memory=memory, cpu=cpu, cmdline=cmdline)
        self._load = load
        self._qemu = None
        self._jobs = {}
        self._log = []
        self._next_record = 0
        self._ready = False
        self._gone = False
        self._ending = False
        self._died = False
        self._taint = None
        self.changed = threading.Condition(threading.RLock())
        self._sending = threading.Lock()

    # Life of the guest

    def __enter__(self):
        try:
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _boot(self):
        self.log_dir.mkdir(parents=True, exist_ok=True)
        for stale in ("console.log", "dmesg.log", "jobs.log"):
            (self.log_dir / stale).unlink(missing_ok=True)
        image = Image(**self._image)
        initramfs = self.log_dir / "initramfs.cpio"
        image.write(initramfs)
        self._dmesg = open(self.log_dir / "dmesg.log", "w", encoding="utf-8")
        command = qemu.command(project.kernel().vmlinuz, initramfs, self._console(),
                               **self._machine)
        started = time.monotonic()
        with open(self.log_dir / "qemu.log", "wb") as errors:
            self._qemu = project.inside_popen(command, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE, stderr=errors,
                                              start_new_session=True)
        self._reader = threading.Thread(target=self._read_frames, daemon=True)
        self._reader.start()
        self._wait_for(lambda: self._ready, _BOOT_TIMEOUT, "did not boot")
        initramfs.unlink()
        self.boot_seconds = time.monotonic() - started
        self.run("ip link set lo up", check=True)
        if self._load:
            for path, arguments in image.load_list:
                self.insmod(path, arguments)

    def _end(self):
        """Switches the guest off, or ends QEMU when the guest no longer obeys."""
        if self._qemu is None:
            return
        if not self._gone:
            self._ending = True
            try:
                self._taint = int(self.read("/proc/sys/kernel/tainted"))
                self.send(channel.POWER_OFF)
                self._qemu.wait(_POWER_OFF_TIMEOUT)
            except (GuestError, OSError, ValueError, subprocess.TimeoutExpired) as error:
                self._note(f"[log] the guest did not switch off: {error}\n")
        if self._qemu.poll() is None:
            os.killpg(self._qemu.pid, signal.SIGKILL)
        self._qemu.wait()
        self._reader.join()
        self._dmesg.close()
        with open(self.log_dir / "jobs.log", "w", encoding="utf-8") as transcript:
            transcript.writelines(job.transcript() for job in self._jobs.values())
        self._qemu.stdin.close()
        self._qemu.stdout.close()

    @property
    def alive(self):
        return self._ready and not self._gone

    # Commands

    def start(self, command, stdin=None, terminal=False):
        """Starts a shell command and returns its Job. `stdin`: bytes or text for it."""
        flags = ((channel.WITH_INPUT if stdin is not None else 0)
                 | (channel.ON_TERMINAL if terminal else 0))
        with self.changed:
            number = len(self._jobs) + 1
            job = self._jobs[number] = Job(self, number, command)
        self.send(channel.START, number, bytes([flags]) + command.encode())
        if stdin is not None:
            content = stdin.encode() if isinstance(stdin, str) else stdin
            with self._sending:
                channel.send_input(self._qemu.stdin, number, content)
        return job

    def run(self, command, timeout=60, check=False, stdin=None):
        """Runs a shell command to its end and returns its Result."""
        result = self.start(command, stdin=stdin).wait(timeout)
        if check and result.status != 0:
            raise GuestError(f"{self.name}: `{command}` ended with status {result.status}:\n"
                             f"{result.output}")
        return result

    def insmod(self, module, arguments="", timeout=120):
        """Loads a module that is on board, by name or path, and returns the seconds it took."""
        path = module if "/" in module else f"{MODULES}/{module}.ko"
        before = self.kernel_log()
        result = self.run(f"insmod {shlex.quote(path)} {arguments}", timeout)
        if result.status != 0:
            said = self.kernel_log()[len(before):]
            raise GuestError(f"{self.name}: {module} did not load: {result.output.strip()}\n"
                             f"The kernel said:\n{said or '(nothing)'}")
        return result.seconds

    def sysrq(self, letters):
        """Sends magic system requests; what they print goes to the kernel log."""
        self.send(channel.SYSRQ, 0, letters.encode())

    def hold_vm(self):
        """Keeps one VM open, so that KVM's static keys never flip; returns the Job holding it.

        Emulation on several host threads can lose an instruction that is being patched; a flip
        for every VM that comes and goes makes that likely. End it by `.signal("KILL")`.
        """
        job = self.start("exec hold-vm")
        job.wait_output("held")
        return job

    # Files

    def read(self, path):
        return self.run(f"cat {shlex.quote(str(path))}", check=True).output

    def write(self, path, content):
        """Writes a file; up to a page of it in one write(2), as sysfs wants it."""
        self.run(f"cat > {shlex.quote(str(path))}", check=True, stdin=content)

    def put(self, host_path, path):
        """Copies a host file into the guest, mode included."""
        host_path = Path(host_path)
        quoted = shlex.quote(str(path))
        self.run(f"mkdir -p $(dirname {quoted}) && cat > {quoted} && "
                 f"chmod {host_path.stat().st_mode & 0o777:o} {quoted}",
                 check=True, stdin=host_path.read_bytes())

    def fetch(self, path, host_path):
        """Copies a file of the guest to the host."""
        text = self.run(f"base64 {shlex.quote(str(path))}", check=True).output
        Path(host_path).write_bytes(base64.b64decode(text))

    # Kernel log and leaks

    def kernel_log(self):
        """Returns the kernel log so far.

        It is streamed while the guest runs; what only reached the console, because the guest
        stopped in its tracks, is appended.
        """
        with self.changed:
            streamed = "".join(self._log)
        last = max(filter(None, map(kernel_log.timestamp, streamed.splitlines()[-50:])),
                   default=0.0)
        late = []
        if not self.alive and self._console().exists():
            for line in self._console().read_text(errors="replace").splitlines(keepends=True):
                stamp = kernel_log.timestamp(line)
                if stamp is not None and stamp > last:
                    late.append(line)
        return streamed + "".join(late)

    def complaints(self, allowed=()):
        """Returns what the kernel complained of, except lines that a pattern in `allowed` expects.

        An expected complaint that did not come is itself in the list.
        """
        if not self._ready:
            return [f"{self.name}: the guest never came up"]
        log = self.kernel_log()
        verdict = kernel_log.judge(log, allowed)
        taint = self._taint if self._gone else int(self.read("/proc/sys/kernel/tainted"))
        failures = verdict.failures()
        if self._died and not verdict.expected:
            failures.append(f"{self.name}: the guest was gone before its time")
        if taint is not None and not verdict.expected and not verdict.unexpected:
            failures += [f"kernel tainted: {name}" for name in kernel_log.taint_complaints(taint)]
        return failures

    def settle(self):
        """Waits until every RCU callback queued so far has run."""
        self.run("echo 1 > /sys/module/rcutree/parameters/do_rcu_barrier", check=True)

    def slab(self, cache):
        """Returns how many objects of a slab cache are in use, after RCU has settled.

        Boot with `slab_nomerge` for a cache of one kind of object only.
        """
        self.settle()
        directory = f"/sys/kernel/slab/{cache}"
        text = self.run(f"echo 1 > {directory}/shrink && cat {directory}/objects",
                        check=True).output
        return int(re.match(r"\d+", text)[0])

    # Plumbing

    def _console(self):
        return self.log_dir / "console.log"

    def console_tail(self, lines=_CONSOLE_TAIL):
        if not self._console().exists():
            return ""
        return "\n".join(self._console().read_text(errors="replace").splitlines()[-lines:])

    def died(self):
        """Returns the exception for a guest that is gone."""
        return GuestDied(f"{self.name}: the guest died (all of it: {self.log_dir}); "
                         f"its last words:\n{self.console_tail()}")

    def send(self, kind, job=0, payload=b""):
        """Sends a frame to the agent."""
        if self._gone:
            raise self.died()
        try:
            with self._sending:
                channel.send(self._qemu.stdin, kind, job, payload)
        except OSError:
            raise self.died() from None

    def dump_tasks(self):
        """Puts the stacks of blocked tasks and busy processors into the kernel log.

        Returns when they are there, or when the guest does not answer any more.
        """
        try:
            self.sysrq("wl")
            answer = self.start("true")
        except GuestDied:
            return
        with self.changed:
            self.changed.wait_for(lambda: answer.poll() is not None or self._gone, _SYSRQ_TIMEOUT)

    def _wait_for(self, condition, timeout, what):
        with self.changed:
            self.changed.wait_for(lambda: condition() or self._gone, timeout)
            if condition():
                return
        if self._gone:
            errors = (self.log_dir / "qemu.log").read_text(errors="replace")
            raise GuestDied(f"{self.name}: {what}: QEMU ended.\n{errors}{self.console_tail()}")
        raise GuestError(f"{self.name}: {what} within {timeout} s; console ends:\n"
                         f"{self.console_tail()}")

    def _note(self, text):
        with self.changed:
            self._log.append(text)
            self._dmesg.write(text)
            self._dmesg.flush()

    def _read_frames(self):
        for kind, number, payload in channel.frames(self._qemu.stdout):
            with self.changed:
                if kind == channel.READY:
                    self._ready = True
                elif kind == channel.LOG:
                    self._log_record(payload.decode(errors="replace"))
                elif number in self._jobs:
                    self._jobs[number].receive(kind, payload)
                self.changed.notify_all()
        with self.changed:
            self._gone = True
            self._died = not self._ending
            self.changed.notify_all()

    def _log_record(self, record):
        sequence, text = kernel_log.from_kmsg(record)
        lost = sequence - self._next_record
        if lost > 0:
            text = f"[log] {lost} records lost\n{text}"
        self._next_record = sequence + 1
        self._log.append(text)
        self._dmesg.write(text)
        self._dmesg.flush()
