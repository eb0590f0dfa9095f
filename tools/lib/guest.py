# SPDX-License-Identifier: GPL-2.0
"""Boots the stock kernel in QEMU and runs commands in it.

    with Guest("example", modules=["kvm-amd"]) as vm:
        print(vm.run("ls -l /dev/kvm").output)

Software emulation (TCG) is used always, so that every machine gives the same result.
"""

import base64
import shlex
import time
from pathlib import Path

import channel
import kernel_log
import project
import race_reports
from guest_job import GuestDied, GuestError, GuestTimeout
from initramfs import MODULES, Image
from machine import Machine

__all__ = ["Guest", "GuestDied", "GuestError", "GuestTimeout"]

_BOOT_TIMEOUT = 400


class Guest:
    """One guest, from boot to power-off; a context manager.

    `programs` and `files` map paths in the guest to host paths (files: or to their content);
    dynamically linked programs bring their libraries along. `modules` lists stock modules by name
    and the project's own by path, each with optional arguments ("test_hmm spm_addr_dev0=1");
    they are loaded at start, in order, after what they depend on, unless `load` is False.
    Emulated processors run in parallel, and can then miss that code has been patched under them
    (an int3 long gone); where much code is patched, `parallel=False` lets them take turns.
    With `counted` the guest's clocks count instructions, and skip what it idles.
    """

    def __init__(self, name, programs=None, modules=(), files=None, cpus=2, memory="4G",
                 cmdline="", cpu="EPYC,svm=on,npt=on", log_dir=None, load=True, parallel=True,
                 counted=False):
        self.name = name
        self.log_dir = Path(log_dir or project.RESULTS / name)
        self.boot_seconds = None
        self._image = dict(programs=programs, files=files, modules=modules)
        self._hardware = dict(cpus=cpus, memory=memory, cpu=cpu, cmdline=cmdline,
                              parallel=parallel, counted=counted)
        self._known = project.kernel().known
        # Data races that the kernel has told of and that are not the core's.
        self.races_elsewhere = 0
        self._load = load
        self._machine = Machine(name, self.log_dir)
        self._taint = None

    def __enter__(self):
        try:
            self._boot()
        except BaseException:
            self._machine.end()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.alive and not self._machine.stuck:
                self._taint = self._read_taint()
        except GuestError:
            pass  # a guest that does not answer: its end is a complaint in the log
        finally:
            self._machine.end()

    def _boot(self):
        self.log_dir.mkdir(parents=True, exist_ok=True)
        image = Image(**self._image)
        initramfs = self.log_dir / "initramfs.cpio"
        try:
            image.write(initramfs)
            started = time.monotonic()
            self._machine.boot(initramfs, _BOOT_TIMEOUT, **self._hardware)
            self.boot_seconds = time.monotonic() - started
        finally:
            initramfs.unlink(missing_ok=True)
        if self.run("test -d /sys/class/net").status == 0:
            self.run("ip link set lo up", check=True)
        if self._load:
            for path, arguments in image.load_list:
                self.insmod(path, arguments)

    @property
    def alive(self):
        return self._machine.alive

    # Commands

    def start(self, command, stdin=None, terminal=False, on_output=None):
        """Starts a shell command and returns its Job.

        `stdin` (bytes or text) is its standard input; with `terminal` it runs on a terminal of
        its own. `on_output` is called with each piece of output, from another thread.
        """
        content = stdin.encode() if isinstance(stdin, str) else stdin
        return self._machine.start(command, content, terminal, on_output)

    def run(self, command, timeout=60, check=False, stdin=None):
        """Runs a shell command to its end and returns its Result."""
        result = self.start(command, stdin).wait(timeout)
        if check and result.status != 0:
            raise GuestError(f"{self.name}: `{command}` ended with status {result.status}:\n"
                             f"{result.output}")
        return result

    def insmod(self, module, arguments="", timeout=120):
        """Loads a module that is on board, by name or path, and returns the seconds it took."""
        path = module if "/" in module else f"{MODULES}/{module}.ko"
        before = len(self.kernel_log())
        result = self.run(f"insmod {shlex.quote(path)} {arguments}", timeout)
        if result.status != 0:
            said = self.kernel_log()[before:]
            raise GuestError(f"{self.name}: {module} did not load: {result.output.strip()}\n"
                             f"The kernel said:\n{said or '(nothing)'}")
        return result.seconds

    def sysrq(self, letters):
        """Sends magic system requests; what they print goes to the kernel log."""
        self._machine.send(channel.SYSRQ, 0, letters.encode())

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
        """Returns the kernel log so far; it is streamed, so a guest that stops loses none of it.

        What only the console got is there once the guest is gone.
        """
        return self._machine.log()

    def complaints(self, allowed=()):
        """Returns what the kernel complained of, except lines that a pattern in `allowed` expects.

        An expected complaint that did not come is itself in the list.
        """
        if not self._machine.ready:
            return [f"{self.name}: the guest never came up"]
        answers = self.alive and not self._machine.stuck
        taint = self._read_taint() if answers else self._taint
        verdict = self._verdict(self.kernel_log(), allowed)
        said = verdict.unexpected + verdict.expected + verdict.known
        failures = verdict.failures()
        failures += [f"kernel tainted: {name}" for name in kernel_log.taint_complaints(taint, said)]
        if self._machine.died_early and not kernel_log.tells_of_panic(said):
            failures.append(f"{self.name}: the guest was gone before its time")
        return failures

    def unexpected(self, allowed=()):
        """Returns what had gone wrong in a guest that was taken away in the midst of its work."""
        verdict = self._verdict(race_reports.whole(self.kernel_log()), allowed)
        return verdict.unexpected + self._machine.failures_so_far()

    def _verdict(self, log, allowed):
        rest, self.races_elsewhere = race_reports.elsewhere(log)
        return kernel_log.judge(rest, allowed, self._known)

    def settle(self):
        """Waits until every RCU callback queued so far has run."""
        self.write("/sys/module/rcutree/parameters/do_rcu_barrier", "1")

    def _read_taint(self):
        return int(self.read("/proc/sys/kernel/tainted"))
