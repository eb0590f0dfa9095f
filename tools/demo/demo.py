#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The MMU-notifier core of a running stock kernel, replaced under a running KVM guest.

Boots the stock kernel, starts a virtual machine whose memory is never left in peace, shows who
serves the kernel's notifier hooks, hands them over to Rust and back, and judges. Every number is
measured while you look: the calls by the kernel's tracing, the functions by livepatch's entries in
sysfs, the bytes by the virtual machine. Exit status 0 only if nothing at all was wrong.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/lib"))

import core  # noqa: E402
import hooks  # noqa: E402
import kernel_log  # noqa: E402
import kvm_guest  # noqa: E402
import lock  # noqa: E402
import project  # noqa: E402
from guest import Guest, GuestError  # noqa: E402
from table import Table, pause  # noqa: E402

NAME = "demo"
# Seconds to look at each core, and the patience with a guest that does not get on.
C_SECONDS, RUST_SECONDS, C_AGAIN_SECONDS, PATIENCE = 8, 20, 6, 60
# Hooks that only the beginning and the end of a virtual machine reach.
ONCE = ("release", "subscriptions_destroy")


class DemoFailed(Exception):
    """Something did not go as it must; the message is for the person at the terminal."""


@dataclass
class Sample:
    """All numbers of one moment."""

    time: float
    readings: dict
    events: dict
    guest: dict
    pid: int

    def since(self, start):
        """{hook: Count} from `start` to now."""
        return {name: reading.since(start.readings[name])
                for name, reading in self.readings.items()}

    def total(self, start):
        return sum(self.since(start).values(), hooks.Count())

    def operations(self):
        names = list(self.guest)
        return {name: self.guest[name] for name in names[names.index("wrong") + 1:]} \
            if names else {}


@dataclass
class Demo:
    """The running demo: the machine, the probes and the virtual machine on it."""

    vm: Guest
    probes: hooks.Hooks = None
    guest: kvm_guest.KvmGuest = None

    def sample(self):
        """Takes all numbers; a wrong byte or a complaint of the kernel ends the demo at once."""
        if kernel_log.complaints(self.vm.kernel_log()):
            raise DemoFailed("the kernel complains")
        sample = Sample(time.monotonic(), self.probes.read(), self.probes.events(),
                        self.guest.progress(), self.guest.pid)
        if self.guest.complaints() or not self.guest.running():
            result = self.guest.end()
            said = "\n".join(self.guest.complaints())
            raise DemoFailed(f"the KVM guest has stopped with status {result.status}:\n{said}")
        return sample

    def watch(self, seconds):
        """Shows the numbers for some seconds and until every hook was called and every kind of
        operation done once more; returns the first and the last sample."""
        start = self.sample()

        def over(sample):
            idle = stuck(start, sample)
            if idle and sample.time - start.time > seconds + PATIENCE:
                raise DemoFailed(f"no progress within {seconds + PATIENCE} s: {', '.join(idle)}")
            return not idle and sample.time - start.time >= seconds

        return start, self._show(start, over)

    def watch_while(self, action):
        """Shows the numbers while `action` runs in another thread; returns its result."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(action)
        try:
            self._show(self.sample(), lambda _: future.done())
        finally:
            pool.shutdown(wait=False)
        return future.result()

    def _show(self, start, over):
        table = Table(start)
        while True:
            pause()
            sample = self.sample()
            table.show(sample)
            if over(sample):
                table.close()
                return sample


def stuck(start, sample):
    """The hooks and operations that have not happened since `start`."""
    calls = [name for name, count in sample.since(start).items()
             if name not in ONCE and not count.calls]
    return calls + [name for name, number in sample.operations().items()
                    if number == start.operations().get(name, 0)]


def step(number, title, text):
    print(f"{number}. {title:<28} {text}", flush=True)


def more(text):
    print(f"     {text}", flush=True)


def require(condition, message):
    if not condition:
        raise DemoFailed(message)


def boot(vm):
    step(1, "Stock kernel booted", f"Linux {vm.read('/proc/sys/kernel/osrelease').strip()}, "
         f"up in {vm.boot_seconds:.1f} s")
    more(vm.run("uname -v").output.strip())
    # First of all, so that KVM's static keys do not flip from here on.
    vm.hold_vm()
    kvm_guest.prepare(vm)


def start_guest(demo):
    demo.probes = hooks.Hooks(demo.vm)
    demo.probes.start()
    demo.guest = kvm_guest.KvmGuest(demo.vm)
    step(2, "KVM guest started", f"pid {demo.guest.pid}; it checks all it reads, while the host")
    more("protects, unmaps, forks, merges, migrates and swaps out its memory")


def watch_c(demo):
    require(core.serving(demo.vm) == "c", "a livepatch is active before the takeover")
    present = demo.vm.run("ls /sys/kernel/livepatch").output.split()
    step(3, "The C core serves", f"livepatches in sysfs: {len(present)}")
    start, end = demo.watch(C_SECONDS)
    done = end.total(start)
    require(done.by_c and not done.kvm_from_rust, f"C does not serve alone: {done}")


def take_over(demo):
    step(4, "Rust takes over", "task by task, the guest running on")
    seconds = demo.watch_while(lambda: core.take_over(demo.vm))
    functions = core.patched_functions(demo.vm)
    more(f"{len(functions)} functions taken over in {seconds:.1f} s; livepatch's entries in sysfs:")
    for left, right in zip_longest(functions[::2], functions[1::2], fillvalue=""):
        more(f"  {left:<46}{right}")
    require(len(functions) == core.FUNCTIONS, f"not {core.FUNCTIONS} functions")


def watch_rust(demo):
    mode = demo.vm.read(f"/sys/module/{core.NAME}/parameters/mode").strip()
    step(5, "The Rust core serves", f"mode {mode}; a second guest is born and dies meanwhile")
    second = demo.vm.start(f"exec {kvm_guest.IN_GUEST} --seconds 3 --operations munmap,fork")
    start, _ = demo.watch(RUST_SECONDS)
    result = second.wait(PATIENCE)
    require(result.status == 0, f"the second guest failed under Rust:\n{result.output}")
    end = demo.sample()
    done = end.total(start)
    require(done.by_c == 0 and done.kvm_from_c == 0, f"C still serves calls: {done}")
    require(done.by_rust and done.kvm_from_rust, f"Rust serves no calls: {done}")
    more(f"Callbacks of KVM meanwhile: {done.kvm_from_rust:,} by {core.NAME}, "
         f"{done.kvm_from_c} by the kernel's C core.")
    for name in ONCE:
        require(end.since(start)[name].by_rust, f"Rust has not served {name}")
    more(f"The second guest, served by Rust from birth to death: status {result.status}.\n")


def hand_back(demo):
    before = demo.guest.progress()["loops"]
    step(6, "Rust hands back", "task by task, the guest running on")
    seconds = demo.watch_while(lambda: core.hand_back(demo.vm))
    loaded = core.NAME in demo.vm.read("/proc/modules")
    require(not loaded, "the module is still loaded")
    more(f"Disabled and unloaded in {seconds:.1f} s; module loaded: {'yes' if loaded else 'no'}.\n")
    return before


def watch_c_again(demo, before):
    step(7, "The C core serves again", f"the same guest, pid {demo.guest.pid}, runs on")
    start, end = demo.watch(C_AGAIN_SECONDS)
    done = end.total(start)
    require(done.by_c and not done.kvm_from_rust, f"C does not serve alone: {done}")
    require(end.guest["loops"] > before, "the guest has not moved since")
    more(f"The guest's loops: {before:,} before the hand-back, {end.guest['loops']:,} now.\n")


def end_guest(demo):
    result = demo.guest.end()
    step(8, "KVM guest ended", f"status {result.status}, "
         f"{demo.guest.progress()['wrong']} wrong bytes")
    for operation in demo.guest.operations():
        name, done, _, effect, checked = operation.items()
        more(f"{name[1]:<10} {done[1]:>5} times {int(effect[1]):>8,} {effect[0].replace('_', ' '):<26}"
             f"{int(checked[1]) / 1e6:>8,.1f} MB compared")
    require(result.status == 0, f"the KVM guest failed:\n{result.output}")
    demo.probes.stop()


def run(demo):
    boot(demo.vm)
    start_guest(demo)
    watch_c(demo)
    take_over(demo)
    watch_rust(demo)
    watch_c_again(demo, hand_back(demo))
    end_guest(demo)


def judge(vm):
    complaints = vm.complaints()
    lines = len(vm.kernel_log().splitlines())
    step(9, "Kernel log", f"{lines} lines, {len(complaints)} complaints")
    for line in complaints:
        more(line)
    return not complaints


def main():
    begin = time.monotonic()
    print("The MMU-notifier core of a stock kernel, handed to Rust and back under a running guest\n",
          flush=True)
    try:
        with Guest(NAME, programs={kvm_guest.IN_GUEST: kvm_guest.built()},
                   modules=kvm_guest.MODULES, cmdline=kvm_guest.CMDLINE) as vm:
            try:
                run(Demo(vm))
                failure = None
            except (DemoFailed, GuestError, hooks.HooksError) as error:
                failure = str(error)
            clean = judge(vm)
    except project.SetupMissing as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\ndemo interrupted; its guest is switched off")
    except GuestError as error:
        failure, clean = str(error), True
    if failure:
        print(f"\n{failure}", file=sys.stderr)
    good = not failure and clean
    print(f"\n{'DEMO PASSED' if good else 'DEMO FAILED'} after {time.monotonic() - begin:.0f} s; "
          f"console and kernel log: {(project.RESULTS / NAME).relative_to(TOP)}/")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    with lock.run("demo"):
        main()
