# SPDX-License-Identifier: GPL-2.0
"""The packages on a Debian 13 with its own init, kernels and apt: from installing to purging.

Nothing in a guest has a network: the packages lie on its disk. An index of a kernel's modules
takes depmod seconds, and minutes under emulation; so one guest has one kernel and goes through
everything, and the others get the package before they boot.
"""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

_TOOLS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TOOLS / folder) for folder in (
    "setup", "package", "testing/package", "testing/livepatch", "testing/upstream",
    "testing/selftests/mmu_notifier")]

import changes  # noqa: E402
import core  # noqa: E402
import deb  # noqa: E402
import debian_root  # noqa: E402
import dkms_build  # noqa: E402
import kvm_guest  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import stuck  # noqa: E402
from debian_guest import DebianGuest  # noqa: E402
from guest import GuestError  # noqa: E402

TITLE = "the packages, on a Debian with systemd and apt"
ORDER = 36
# The first time a kernel of another series is set up and a Debian made.
TIMEOUT = 1800

_OUT = project.BUILD / "package"
_VERSIONS = ("0.1+1", "0.1+2")
_AT_BOOT = "/etc/modules-load.d/mmu-notifier-rust.conf"
_DRIVER = "/root/mmu_notifier_test.ko"
_SCRIPTS = f"/usr/share/{deb.NAME}"
# Probes are attached in their order, and nothing says when that is done.
_LAST_PROBE = 'interval:ms:100 { printf("all attached\\n"); }'
# How long apt, livepatch and the two together may take.
_PATIENCE = 600


def run(check):
    with _quiet(check):
        kernels = deb.kernels()
        fitting = [kernel.release for kernel in kernels]
        debian_root.ensure(fitting)
    with check.test("builds", "-"):
        old, new = _packages()
    with check.test("lintian", "-"):
        _lintian(new)
    with check.test("dkms_builds_it", "-"):
        dkms_build.builds(new[f"{deb.NAME}-dkms"], kernels[0], check.log_dir)
    with check.test("dkms_passes_over_what_does_not_fit", "-"):
        dkms_build.passes_over(new[f"{deb.NAME}-dkms"], kernels[0], check.log_dir)
    _life(check, fitting[0], old[deb.NAME], new[deb.NAME])
    with _disk(check, "chosen", f"apt-get -y install {new[deb.NAME]}",
               "mmu-notifier enable --at-boot") as disk:
        _at_boot(check, disk, fitting[-1])
        _locked(check, disk, fitting[0])
        for release in set(debian_root.releases()) - set(fitting):
            _another_kernel(check, disk, release)


@contextlib.contextmanager
def _quiet(check):
    """What a set-up tells goes to a file."""
    check.log_dir.mkdir(parents=True, exist_ok=True)
    with open(check.log_dir / "setup.log", "w", encoding="utf-8") as out, \
            contextlib.redirect_stdout(out):
        yield


@contextlib.contextmanager
def _disk(check, name, *commands):
    """A disk of the Debian in which the commands were run."""
    path = debian_root.disk(check.log_dir / f"{name}.disk", *commands)
    try:
        yield path
    finally:
        path.unlink()


def _packages():
    """Makes the packages in two versions; returns [{name: path}, {name: path}]."""
    made = []
    for number in _VERSIONS:
        out = _OUT / number
        subprocess.run([sys.executable, project.TOP / "tools/package/deb.py", "--out", out,
                        "--version", number], check=True, stdout=subprocess.DEVNULL)
        made.append({name: out / f"{name}_{number}_amd64.deb" for name in deb.packages()})
    return made


def _lintian(packages):
    done = project.inside(["lintian", "--allow-root", "--fail-on", "error,warning",
                           *packages.values()],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def _life(check, release, old, new):
    """Installed, at work, upgraded, held up and purged, with a VM alive all the time."""
    with _disk(check, "life", f"cp {old} /root/old.deb && cp {new} /root/new.deb",
               *debian_root.only(release)) as disk, \
            check.guest("life", kind=DebianGuest, disk=disk, release=release,
                        parallel=False) as vm:
        vm.run("modprobe kvm-amd", check=True)
        before = changes.state(vm)
        machine = _virtual_machine(vm)
        with check.test("install", "c"):
            _apt(vm, "install /root/old.deb")
            _serves(vm, "c", machine)
            assert vm.run(f"test -e /sys/module/{core.NAME}").status != 0, "loaded without a word"
        with check.test("enable", "rust"):
            _command(vm, "enable")
            _serves(vm, "rust", machine)
        with check.test("upgrade", "rust"):
            said = _apt(vm, "install /root/new.deb")
            assert "The core in Rust that is at work stays." in said, said
            assert _installed(vm) == _VERSIONS[1]
            _serves(vm, "rust", machine)
            _command(vm, "disable && mmu-notifier enable")
            _serves(vm, "rust", machine)
        with _stuck(vm) as process:
            _scripts(check, vm, process)
            with check.test("purge_while_held_up", "rust"):
                _held_up(vm, machine, process)
        with check.test("purge", "c"):
            _command(vm, "enable --at-boot")
            _apt(vm, f"purge {deb.NAME}")
            _serves(vm, "c", machine)
            left = vm.run(f"ls -d /sys/module/{core.NAME} {_AT_BOOT} 2>/dev/null").output
            assert not left, f"still there: {left}"
        with check.test("virtual_machine", "c"):
            result = machine.end()
            assert result.status == 0, result
        with check.test("as_before", "c"):
            different = changes.between(before, changes.state(vm))
            assert not different, "\n".join(different)
        check.count_takeovers(2)


def _at_boot(check, disk, release):
    """The choice holds, with another kernel that there is a module for."""
    with check.guest("at_boot", kind=DebianGuest, disk=disk, release=release,
                     parallel=False) as vm:
        with check.test("at_boot", "rust"):
            core.wait_for(vm, "rust")
            assert vm.run("systemctl is-failed systemd-modules-load").status != 0
            machine = _virtual_machine(vm)
            _serves(vm, "rust", machine)
        with check.test("disable", "c"):
            _command(vm, "disable")
            _serves(vm, "c", machine)
            assert machine.end().status == 0
        check.count_takeovers(1)


def _locked(check, disk, release):
    """Under lockdown the choice fails and says so, and the machine comes up with C."""
    with check.guest("locked", kind=DebianGuest, disk=disk, release=release,
                     cmdline="lockdown=integrity module.sig_enforce=1") as vm:
        with check.test("locked.is_told", "c"):
            assert vm.run("systemctl is-failed systemd-modules-load").status == 0
        _refused(check, vm, "locked", "locked down (integrity)")


def _another_kernel(check, disk, release):
    """The release's own kernel, which the package has no module for."""
    with check.guest("another_kernel", kind=DebianGuest, disk=disk, release=release) as vm:
        _refused(check, vm, "another_kernel", f"no {core.NAME}.ko is installed for {release}")


def _refused(check, vm, name, message):
    with check.test(f"{name}.at_boot", "c"):
        _serves(vm, "c")
    with check.test(f"{name}.enable", "c"):
        before = changes.state(vm)
        result = vm.run("mmu-notifier enable", _PATIENCE)
        assert result.status != 0 and message in result.output, result
        assert "nothing was changed" in result.output, result
        different = changes.between(before, changes.state(vm))
        assert not different, "\n".join(different)
        _serves(vm, "c")


@contextlib.contextmanager
def _stuck(vm):
    """A process that gets stuck when it is told to."""
    vm.put(notifier_tests.built().driver, _DRIVER)
    for path, program in stuck.programs().items():
        vm.put(program, path)
    vm.insmod(_DRIVER)
    process = stuck.Process(vm)
    try:
        yield process
    finally:
        process.end()
        vm.run(f"rmmod mmu_notifier_test && rm {_DRIVER} {' '.join(stuck.programs())} /tmp/stuck",
               check=True)


def _scripts(check, vm, process):
    """The scripts for bpftrace say who is stuck, who waits, how long callbacks take, and whose."""
    for name, words, told in (
            ("blocked", ("stick", "leave"), r"^stuck/\d+ waits for stuck/\d+ in mnt_op_range_start$"),
            ("latency", ("open", "stick", "leave"), r"^@ns\[mnt_op_range_start\]:"),
            ("registrations", ("open",), r"^@subscribed\[stuck, mnt_op_range_start\]: 1$")):
        with check.test(f"{name}.bt", "rust"):
            said = _traced(vm, name, lambda: [process.do(word) for word in words])
            assert re.search(told, said, re.MULTILINE), said


def _traced(vm, name, action):
    """What one of the scripts says of what happens meanwhile."""
    job = vm.start(f"(cat {_SCRIPTS}/{name}.bt; printf '%s\\n' '{_LAST_PROBE}') > /tmp/{name}.bt;"
                   f" exec bpftrace /tmp/{name}.bt 2>&1")
    try:
        job.wait_output("all attached\n", _PATIENCE)
        action()
    finally:
        job.signal("INT")
        end = job.wait()
    assert end.status == 0, end
    return end.output


def _held_up(vm, machine, process):
    """A removal that cannot be is refused, says by what, and leaves all as it was."""
    process.do("stick")
    before = changes.state(vm, "/etc /usr/sbin /usr/lib/modules /var/lib/dpkg/info")
    result = vm.run(f"apt-get -y purge {deb.NAME}", _PATIENCE)
    assert result.status != 0, result
    for message in ("stuck", f"{deb.NAME} is not removed"):
        assert message in result.output, f"it does not say {message!r} but:\n{result.output}"
    assert _installed(vm) == _VERSIONS[1]
    after = changes.state(vm, "/etc /usr/sbin /usr/lib/modules /var/lib/dpkg/info")
    different = changes.between(before, after)
    assert not different, "\n".join(different)
    _serves(vm, "rust", machine)
    process.do("open")


def _virtual_machine(vm):
    """A virtual machine whose memory is never left in peace, and one that is held for KVM."""
    vm.run("modprobe kvm-amd", check=True)
    kvm_guest.make_group(vm)
    vm.hold_vm()
    return kvm_guest.KvmGuest(vm, "--operations munmap,mprotect,mremap,fork")


def _serves(vm, which, machine=None):
    assert core.serving(vm) == which
    if which == "rust":
        core.check_functions(vm)
        assert vm.read(f"/sys/module/{core.NAME}/parameters/mode") == "native\n"
    if machine:
        before = _loops(machine)
        try:
            core.wait_until(vm, lambda: _loops(machine) > before or not machine.running(), 40)
        except GuestError:
            raise AssertionError(f"the virtual machine stands still:\n{_where(vm, machine)}") \
                from None
        assert machine.running() and not machine.complaints(), machine.complaints()


def _where(vm, machine):
    """Where the threads of a virtual machine are, and what KVM counts for it meanwhile."""
    counters = "grep -H . /sys/kernel/debug/kvm/[0-9]*/vcpu0/* /sys/kernel/debug/kvm/*"
    return vm.run(f"for task in /proc/{machine.pid}/task/*; do cat $task/comm $task/stat $task/stack;"
                  f" done; ({counters}; sleep 1; {counters}) 2>/dev/null").output


def _loops(machine):
    return machine.progress().get("loops", 0)


def _installed(vm):
    return vm.run(f"dpkg-query -W -f '${{Version}}' {deb.NAME}", check=True).output


def _apt(vm, words):
    return vm.run(f"DEBIAN_FRONTEND=noninteractive apt-get -y {words} 2>&1", _PATIENCE,
                  check=True).output


def _command(vm, words):
    return vm.run(f"mmu-notifier {words}", _PATIENCE, check=True).output
