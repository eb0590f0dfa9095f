# SPDX-License-Identifier: GPL-2.0
"""The command mmu-notifier: what it tells is so, and what it refuses changes nothing."""

import json
import re
import sys
import time
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder)
                for folder in ("livepatch", "selftests/mmu_notifier", "upstream")]

import core  # noqa: E402
import guest_programs  # noqa: E402
import notifier_tests  # noqa: E402
import project  # noqa: E402
import stuck  # noqa: E402

TITLE = "mmu-notifier: status, enable, disable, top, and what they refuse"
ORDER = 33

_COMMAND = "mmu-notifier"
_PATCH = f"/sys/kernel/livepatch/{core.NAME}"
_OBSERVED = "/sys/kernel/debug/mmu_notifier"
_BOOT = "/etc/modules-load.d/mmu-notifier-rust.conf"
# What begins a screen of top.
_LOOK = "\x1b[H"
# As the statuses are numbered in the manual page.
_DONE, _REFUSED, _USAGE, _UNDER_WAY = range(4)


def run(check):
    release = project.kernel().release
    installed = f"/lib/modules/{release}/updates/{core.NAME}.ko"
    image = {
        "programs": {f"/usr/sbin/{_COMMAND}": guest_programs.built(_COMMAND), **stuck.programs()},
        "files": {installed: project.MODULE, core.IN_GUEST: project.MODULE,
                  "/other.ko": _of_another_release(release),
                  "/torn.ko": project.MODULE.read_bytes()[:-4096],
                  f"/lib/modules/{release}/modules.dep": f"updates/{core.NAME}.ko:\n"},
    }
    driver = notifier_tests.built().driver
    with check.guest("stock", modules=["kvm-amd", driver], parallel=False, **image) as vm:
        _in_charge_of_c(check, vm, installed)
        _refusals(check, vm)
        _there_and_back(check, vm)
        _at_boot(check, vm)
        process = stuck.Process(vm)
        _held_up_on_the_way_in(check, vm, process)
        _held_up_on_the_way_out(check, vm, process)
        process.end()
        check.count_takeovers(2)
    for name, cmdline, message in (
            ("lockdown", "lockdown=integrity", "locked down (integrity)"),
            ("signatures", "module.sig_enforce=1", "(module.sig_enforce)")):
        with check.guest(name, cmdline=cmdline, **image) as vm:
            with check.test(name, "c"):
                _strict(vm, message)
            if name == "lockdown":
                with check.test("lockdown_unseen", "c"):
                    _lockdown_unseen(vm)


def _of_another_release(release):
    """A module whose version magic names a release of the same length."""
    content = project.MODULE.read_bytes()
    magic = f"\0vermagic={release} ".encode()
    assert content.count(magic) == 1
    return content.replace(magic, magic.replace(b"=", b"=1", 1)[:-2] + b" ")


def _in_charge_of_c(check, vm, installed):
    with check.test("status", "c"):
        said = _status(vm)
        assert (said["core"], said["state"], said["mode"]) == ("c", "absent", None), said
        assert said["module"] == {"path": installed, "built_for": project.kernel().release,
                                  "signed": False}, said
        assert said["kernel"]["livepatch"] and said["kernel"]["btf"], said
        assert said["kernel"]["signatures_enforced"] is False, said
        assert said["refusals"] == [] and said["transition"] is None and said["complete"], said
        told = _tell(vm, "status", _DONE)
        assert "C serves; the module is not loaded" in told and "nothing known against" in told
    with check.test("machines", "c"):
        assert _status(vm)["machines"] == []
        holder = vm.hold_vm()
        machines = _status(vm)["machines"]
        assert [(one["name"], one["machines"]) for one in machines] == [("hold-vm", 1)], machines
        assert f"1 in hold-vm/{machines[0]['pid']}" in _tell(vm, "enable --dry-run", _DONE)
        holder.signal("KILL")
        holder.wait()
    with check.test("dry_run", "c"):
        assert f"Loading {installed}" in _tell(vm, "enable --dry-run", _DONE)
        _untouched(vm)


def _refusals(check, vm):
    for name, arguments, status, message in (
            ("another_release", "enable --module /other.ko", _REFUSED, "is running"),
            ("another_release_dry", "enable --module /other.ko --dry-run", _REFUSED, "is running"),
            ("no_module", "enable --module /etc/passwd", _REFUSED, "is it a module?"),
            ("no_file", "enable --module /none.ko", _REFUSED, "/none.ko: No such file"),
            # That one only the kernel can tell.
            ("torn_module", "enable --module /torn.ko", _REFUSED, "not enabled: Exec format error"),
            ("unknown_argument", "enable --force", _USAGE, "unknown argument `--force`"),
            ("nothing_to_disable", "disable", _DONE, "there is nothing to disable")):
        with check.test(f"refused.{name}", "c"):
            assert message in (told := _tell(vm, arguments, status)), told
            _untouched(vm)
    with check.test("refused.top", "c"):
        assert "mmu-notifier enable" in (told := _tell(vm, "top --once", _REFUSED)), told
    with check.test("refused.not_root", "c"):
        told = _as_nobody(vm, "enable")
        assert told.status == _REFUSED and "needs root" in told.output, told
        _untouched(vm)
        told = _as_nobody(vm, "status --json")
        assert json.loads(told.output)["complete"] is False, told


    with check.test("refused.blind", "c"):
        for hidden, message in (("/sys", "mount -t sysfs"), ("/proc", "mount -t proc")):
            for arguments in "status", "disable", "enable":
                # With nothing on it, in a mount namespace of its own.
                told = vm.run(f"unshare -m sh -c 'mount -t tmpfs none {hidden} &&"
                              f" exec {_COMMAND} {arguments}'")
                assert told.status == _REFUSED and message in told.output, told
        _untouched(vm)


def _there_and_back(check, vm):
    with check.test("enable", "rust"):
        told = _tell(vm, "enable", _DONE)
        assert "in native mode" in told, told
        assert core.serving(vm) == "rust"
        core.check_functions(vm)
        said = _status(vm)
        assert (said["core"], said["state"], said["mode"]) == ("rust", "rust", "native"), said
        assert "Rust serves already" in _tell(vm, "enable", _DONE)
    with check.test("disable_dry_run", "rust"):
        _tell(vm, "disable --dry-run", _DONE)
        assert core.serving(vm) == "rust"
    with check.test("disable_not_root", "rust"):
        told = _as_nobody(vm, "disable")
        assert told.status == _REFUSED and "needs root" in told.output, told
        assert core.serving(vm) == "rust"
    with check.test("disable_in_use", "rust"):
        job = vm.start(f"exec 3< {_OBSERVED}/totals && echo open && exec sleep 600")
        job.wait_output("open\n")
        assert vm.read(f"/sys/module/{core.NAME}/refcnt") == "2\n"
        for arguments in "disable --dry-run", "disable":
            told = _tell(vm, arguments, _REFUSED)
            assert "the module has 1 more user" in told and "nothing was changed" in told, told
            assert core.serving(vm) == "rust"
        job.signal("KILL")
        job.wait()
    with check.test("disable", "c"):
        assert "C serves, and the module is unloaded" in _tell(vm, "disable", _DONE)
        _untouched(vm)


def _at_boot(check, vm):
    with check.test("at_boot", "c"):
        _tell(vm, "enable --at-boot --dry-run", _DONE)
        assert vm.run(f"test -e {_BOOT}").status != 0 and not _status(vm)["at_boot"]
        for _ in range(2):
            _tell(vm, "enable --at-boot", _DONE)
            assert core.NAME in vm.read(_BOOT).splitlines() and _status(vm)["at_boot"]
        for _ in range(2):
            _tell(vm, "disable --at-boot", _DONE)
            assert vm.run(f"test -e {_BOOT}").status != 0 and not _status(vm)["at_boot"]
        _untouched(vm)
    with check.test("at_boot_by_others", "c"):
        vm.write("/etc/modules", f"{core.NAME}\n")
        assert _status(vm)["at_boot"]
        for arguments in "disable --at-boot --dry-run", "disable --at-boot":
            assert "/etc/modules" in (told := _tell(vm, arguments, _REFUSED)), told
        assert vm.read("/etc/modules") == f"{core.NAME}\n"
        vm.run("rm /etc/modules", check=True)
        assert not _status(vm)["at_boot"]


def _held_up_on_the_way_in(check, vm, process):
    """The task is stuck in C: the way back is open at once."""
    process.do("stick")
    with check.test("held_up_in_c", "c"):
        told = _tell(vm, "enable --timeout 5", _UNDER_WAY)
        assert "out of time" in told and "To go back to C: mmu-notifier disable" in told, told
        _names_the_stuck(told)
        _is_held_up(vm, "rust")
    with check.test("interrupted", "c"):
        job = vm.start(f"exec {_COMMAND} enable")
        job.wait_output("waiting for it")
        job.signal("INT")
        end = job.wait()
        assert end.status == _UNDER_WAY and "interrupted; now tasks go over" in end.output, end
        assert core.serving(vm) == "both"
    with check.test("turned_back", "c"):
        told = _tell(vm, "disable", _DONE)
        assert "turning that back" in told, told
        _untouched(vm)
    process.do("open")


def _held_up_on_the_way_out(check, vm, process):
    """The task is stuck in Rust: it is waited for, or Rust stays."""
    _tell(vm, "enable", _DONE)
    _top(check, vm, process)
    process.do("stick")
    with check.test("held_up_in_rust", "rust"):
        told = _tell(vm, "disable --timeout 5", _UNDER_WAY)
        assert "To stay with Rust: mmu-notifier enable" in told, told
        _names_the_stuck(told)
        _is_held_up(vm, "c")
    with check.test("stays", "rust"):
        assert "turning that back" in _tell(vm, "enable", _DONE)
        assert core.serving(vm) == "rust" and _status(vm)["mode"] == "native"
    with check.test("waits_and_unloads", "c"):
        job = vm.start(f"exec {_COMMAND} disable")
        core.wait_until(vm, lambda: _status(vm)["state"] == "to-c")
        process.do("open")
        end = job.wait()
        assert end.status == _DONE, end
        _untouched(vm)


def _top(check, vm, process):
    with check.test("top", "rust"):
        vm.write(f"{_OBSERVED}/accounting", "1")
        process.do("stick")
        process.do("open")
        said = json.loads(_tell(vm, "top --once --json --sort calls", _DONE))
        found = [one for one in said["subscriptions"] if one["comm"] == "stuck"]
        assert [(one["kind"], one["callback"], one["module"]) for one in found] == [
            ("whole", "mnt_op_range_start", "mmu_notifier_test")], said
        assert found[0]["calls"] > 0 and found[0]["time_ns"] > 0, found
        assert said["mode"]["mode"] == "native" and said["stuck"] == [], said
        assert " mnt_op_range_start [mmu_notifier_test]\n" in _tell(vm, "top --once", _DONE)
        vm.write(f"{_OBSERVED}/accounting", "0")
    with check.test("top_names_the_stuck", "rust"):
        job = vm.start(f"exec {_COMMAND} top", terminal=True)
        job.resize(24, 160)
        job.wait_output("sorted by time")
        process.do("stick")
        looks, begun = job.output().count(_LOOK), time.monotonic()
        # From the stacks, before the watchdog of the core tells.
        named = "in mnt_op_range_start [mmu_notifier_test], called by " \
                "__mmu_notifier_invalidate_range_start"
        job.wait_output(named)
        # Two looks see it, a third of a second apart. One more may have begun before it was stuck,
        # and the screen before that may still have been on its way.
        looks = job.output().partition(named)[0].count(_LOOK) - looks
        check.note(f"the stuck callback had a name {time.monotonic() - begun:.2f} s later, in look "
                   f"{looks}")
        assert looks <= 4, f"only the look {looks} after it was stuck names it"
        vm.write(f"/sys/module/{core.NAME}/parameters/stuck_after", "1")
        job.wait_output(" in mnt_op_range_start [mmu_notifier_test]: stuck/")
        assert vm.read(f"{_OBSERVED}/accounting") == "1\n"
        job.write(b"q")
        end = job.wait()
        assert end.status == _DONE, end
        assert vm.read(f"{_OBSERVED}/accounting") == "0\n"
        process.do("open")


def _names_the_stuck(told):
    assert re.search(r"stuck/\d+ of process \d+: in mnt_op_range_start \[mmu_notifier_test\], "
                     r"called by __mmu_notifier_invalidate_range_start\n", told), told


def _is_held_up(vm, towards):
    alone = [("stuck", "__mmu_notifier_invalidate_range_start",
              "mnt_op_range_start [mmu_notifier_test]")]
    # livepatch signals the others only after 15 s.
    core.wait_until(vm, lambda: _not_moved(_status(vm)) == alone)
    said = _status(vm)
    assert said["core"] == "both" and said["transition"]["to"] == towards, said
    _names_the_stuck(_tell(vm, "status", _DONE))


def _not_moved(said):
    return [(task["name"], task["function"], task["callback"])
            for task in said["transition"]["not_moved"]]


def _strict(vm, message):
    vm.run("mount -t securityfs none /sys/kernel/security", check=True)
    told = _tell(vm, "enable", _REFUSED)
    assert message in told and "sign it" in told and "nothing was changed" in told, told
    assert message in _tell(vm, "status", _DONE)
    assert len(_status(vm)["refusals"]) == 1
    _untouched(vm)


def _tell(vm, arguments, status):
    """Runs the command, which ends with this status; returns what it says."""
    result = vm.run(f"{_COMMAND} {arguments}", timeout=150)
    assert result.status == status, f"{arguments}: status {result.status}: {result.output}"
    return result.output


def _lockdown_unseen(vm):
    """Where only the kernel can tell, its own refusal is passed on."""
    vm.run("umount /sys/kernel/security", check=True)
    assert _status(vm)["kernel"]["lockdown"] is None
    for module in "", f"--module {core.IN_GUEST}":
        told = _tell(vm, f"enable {module}", _REFUSED)
        assert "the kernel: Lockdown: " in told and "not enabled: " in told, told
        assert "Operation not permitted" in told and "now C serves" in told, told
        _untouched(vm)


def _as_nobody(vm, arguments):
    return vm.run(f"su -s /bin/sh nobody -c '/usr/sbin/{_COMMAND} {arguments}'")


def _status(vm):
    return json.loads(_tell(vm, "status --json", _DONE))


def _untouched(vm):
    assert core.serving(vm) == "c"
    left = vm.run(f"ls -d {_PATCH} /sys/module/{core.NAME} 2>/dev/null").output
    assert not left, f"still there: {left}"
