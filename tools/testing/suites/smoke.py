# SPDX-License-Identifier: GPL-2.0
"""The stock kernel boots, is as this project expects it, and can run virtual machines."""

import core
import kvm_guest
import project
from guest import GuestDied

TITLE = "the stock kernel as it comes, and the tools that watch it"
ORDER = 0


def run(check):
    with check.guest("stock", programs={kvm_guest.IN_GUEST: kvm_guest.built()},
                     modules=["kvm-amd"]) as vm:
        with check.test("release", "c"):
            release = vm.read("/proc/sys/kernel/osrelease").strip()
            assert release == project.kernel().release, f"the guest runs {release}"
        with check.test("core_functions", "c"):
            _core_functions(vm)
        with check.test("no_livepatch", "c"):
            patches = vm.run("ls /sys/kernel/livepatch", check=True).output
            assert patches == "", f"livepatches are there: {patches}"
            taint = vm.read("/proc/sys/kernel/tainted").strip()
            assert taint == "0", f"the kernel is tainted: {taint}"
        with check.test("kvm_creates_a_vm", "c"):
            vm.hold_vm()
            paging = vm.read("/sys/module/kvm_amd/parameters/npt").strip()
            assert paging == "Y", "KVM does not use nested paging"
        with check.test("wrong_bytes_are_noticed", "c"):
            _wrong_bytes_are_noticed(vm)
        with check.test("jobs", "-"):
            _jobs(vm)
        with check.test("log_precedes_the_end", "-"):
            _log_precedes_the_end(vm)
        with check.test("files", "-"):
            _files(vm, check.log_dir)
    _death_is_noticed(check)


def _core_functions(vm):
    lines = map(str.split, vm.read("/proc/kallsyms").splitlines())
    symbols = [name for _, kind, name, *_ in lines if kind in "tT"]
    traceable = vm.read("/sys/kernel/tracing/available_filter_functions").split()
    wrong = [function for function in core.CORE_FUNCTIONS
             if symbols.count(function) != 1 or traceable.count(function) != 1]
    assert not wrong, f"not there exactly once, or not to be patched: {' '.join(wrong)}"


def _wrong_bytes_are_noticed(vm):
    """The samples' virtual machine, the detector of the demo and of the loop, can say no."""
    result = vm.run(f"{kvm_guest.IN_GUEST} --operations mprotect --self-test-corrupt")
    assert result.status == 1, result
    wrong = [line for line in result.output.splitlines() if line.startswith("wrong region=")]
    assert wrong, f"no line that tells what was wrong:\n{result.output}"


def _jobs(vm):
    """Jobs run side by side, with their own output, status and time."""
    waiting = [vm.start(f"read line; echo $line {number}; exit {number}", stdin=None)
               for number in range(3)]
    for number, job in enumerate(waiting):
        result = job.wait()
        assert (result.status, result.output) == (number, f"{number}\n"), result
    reader = vm.start("mkfifo /tmp/fifo && exec cat /tmp/fifo")
    assert reader.poll() is None, "a job that waits for another has ended"
    writer = vm.run("until [ -p /tmp/fifo ]; do :; done; seq 100000 > /tmp/fifo")
    assert writer.status == 0, writer
    assert reader.wait().output.split() == [str(n) for n in range(1, 100001)]
    victim = vm.start("sleep 1000 & wait")
    victim.signal("KILL")
    assert victim.wait().status == -9, "a killed job did not say so"


def _log_precedes_the_end(vm):
    """When a command has ended, all that the kernel said meanwhile is there."""
    vm.write("/tmp/words", "".join(f"word {number}\n" for number in range(500)))
    for time in range(10):
        # Each write is a record of its own.
        vm.run(f"while read line; do echo {time} $line; done < /tmp/words > /dev/kmsg", check=True)
        assert f"] {time} word 499\n" in vm.kernel_log(), f"not there at time {time}"


def _files(vm, directory):
    content = bytes(range(256)) * 4096
    source = directory / "sent"
    source.write_bytes(content)
    vm.put(source, "/tmp/dir/sent")
    vm.fetch("/tmp/dir/sent", directory / "received")
    assert (directory / "received").read_bytes() == content, "a file changed on its way"


def _death_is_noticed(check):
    """A guest that panics under a running command is reported as dead, its last words kept."""
    with check.test("death_is_noticed", "-"):
        try:
            with check.guest("panic", allow=["Kernel panic - not syncing: sysrq"]) as vm:
                vm.start("sleep 1000")
                vm.run("echo c > /proc/sysrq-trigger")
        except GuestDied as error:
            assert "Kernel panic" in str(error), error
        else:
            raise AssertionError("a panic went unnoticed")
