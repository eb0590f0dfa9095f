# SPDX-License-Identifier: GPL-2.0
"""What must not be: each is refused, says why, and leaves the running kernel as it was."""

import os
import shutil
import subprocess
import sys

import core
import project

TITLE = "what the way in and out refuses"
ORDER = 20

_BUILD = project.BUILD / "refusal"
_OTHER = "/sys/kernel/livepatch/other_livepatch"
_PATCH = f"/sys/kernel/livepatch/{core.NAME}"

# Modules that are wrong for this kernel: what is changed in the sources, and what is then said.
_WRONG = {
    "moved_field": (
        [("layout.rs", "offset: offset_of!(Layout, $name),",
          "offset: offset_of!(Layout, $name) + 8 * (stringify!($name).len() / 13),")],
        ["struct mmu_notifier_subscriptions: field invalidate_seq: expected at offset ",
         "this module was built for another kernel"]),
    "unknown_field": (
        [("layout.rs", "const FIELDS: [Field; 8]", "const FIELDS: [Field; 7]"),
         ("layout.rs", " wq deferred_list", " wq")],
        ["struct mmu_notifier_subscriptions: field deferred_list: unknown to this module",
         "this module was built for another kernel"]),
    "unknown_struct": (
        [("layout.rs", 'NAME: &str = "mmu_notifier_subscriptions"', 'NAME: &str = "no_such"')],
        ["struct no_such: the kernel's type information (BTF) does not tell: Missing"]),
    "unknown_symbol": (
        [("link/symbols.S", "mmn_mm_drop_all_locks, mm_drop_all_locks",
          "mmn_mm_drop_all_locks, no_such_symbol"),
         ("link/livepatch.symvers", "vmlinux.mm_drop_all_locks,", "vmlinux.no_such_symbol,")],
        ["livepatch: symbol 'no_such_symbol' not found in symbol table"]),
}


def run(check):
    wrong = {name: _build_wrong(name, mutations) for name, (mutations, _) in _WRONG.items()}
    files = {core.IN_GUEST: project.MODULE, "/other.ko": _build_other()}
    files |= {f"/{name}.ko": path for name, path in wrong.items()}
    allow = ["livepatch: symbol 'no_such_symbol' not found", "livepatch: pre-patch callback failed",
             "livepatch: failed to enable patch", "livepatch: Livepatch patch .* is not compatible"]
    with check.guest("stock", allow=allow, files=files, parallel=False) as vm:
        with check.test("type_information", "-"):
            _type_information(vm, check.log_dir)
        for name, (_, messages) in _WRONG.items():
            with check.test(name, "c"):
                _refused(vm, f"insmod /{name}.ko", messages)
                _untouched(vm)
        with check.test("mode_is_not_a_setting", "c"):
            _refused(vm, f"insmod {core.IN_GUEST} mode=native", ["mode follows the livepatch"])
            _untouched(vm)
        with check.test("over_another_livepatch", "c"):
            _other(vm, "")
            _refused(vm, f"insmod {core.IN_GUEST}",
                     ["mmu_notifier_synchronize is already livepatched"])
            _untouched(vm)
            _remove_other(vm)
        core.take_over(vm)
        with check.test("load_twice", "rust"):
            _refused(vm, f"insmod {core.IN_GUEST}", [])
            _serves(vm)
        with check.test("unload_while_serving", "rust"):
            _refused(vm, f"rmmod {core.NAME}", [])
            _serves(vm)
        with check.test("force", "rust"):
            _refused(vm, f"echo 1 > {_PATCH}/force", [])
            _serves(vm)
        with check.test("set_mode", "rust"):
            _refused(vm, f"echo compatible > /sys/module/{core.NAME}/parameters/mode", [])
            _serves(vm)
        with check.test("atomic_replace", "rust"):
            _refused(vm, "insmod /other.ko replace=1", ["is not compatible"])
            _serves(vm)
        core.hand_back(vm)
        check.count_takeovers(1)


def _build_wrong(name, mutations):
    arguments = [word for mutation in mutations for word in ("--mutate", *mutation)]
    subprocess.run([sys.executable, project.TOP / "tools/build/module.py",
                    "--out", _BUILD / "wrong", *arguments], check=True, stdout=subprocess.DEVNULL)
    return (_BUILD / "wrong" / f"{core.NAME}.ko").rename(_BUILD / f"{name}.ko")


def _build_other():
    out = _BUILD / "other"
    shutil.copytree(project.TOP / "tools/testing/livepatch", out, dirs_exist_ok=True)
    kernel = project.kernel()
    project.inside(["make", "-C", kernel.objdir, f"M={out}", f"KERNELRELEASE={kernel.release}",
                    "modules"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out / "other_livepatch.ko"


def _type_information(vm, directory):
    """Runs the tests of btf.rs, on this kernel's type information too."""
    directory.mkdir(parents=True, exist_ok=True)
    blob, program = directory / "btf", directory / "btf_test"
    vm.fetch("/sys/kernel/btf/vmlinux", blob)
    project.inside(["rustc", "--edition", "2021", "-O", "-C", "overflow-checks=on", "--test",
                    project.TOP / "btf.rs", "-o", program], check=True)
    done = project.inside([program], env={"BTF": str(blob)}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (directory / "btf_test.log").write_text(done.stdout)
    os.remove(blob)
    assert done.returncode == 0, done.stdout
    assert "a_real_blob ... ok" in done.stdout


def _refused(vm, command, messages):
    """The command fails, and the kernel log says each of the messages."""
    before = len(vm.kernel_log())
    result = vm.run(command)
    assert result.status != 0, f"`{command}` was not refused"
    said = vm.kernel_log()[before:]
    for message in messages:
        assert message in said, f"the kernel log does not say {message!r} but:\n{said}"


def _untouched(vm):
    assert core.serving(vm) == "c"
    left = vm.run(f"ls -d {_PATCH} /sys/module/{core.NAME} 2>/dev/null").output
    assert not left, f"still there: {left}"


def _serves(vm):
    assert core.serving(vm) == "rust"
    core.check_functions(vm)
    assert vm.read(f"/sys/module/{core.NAME}/parameters/mode") == "native\n"


def _other(vm, arguments):
    vm.insmod("/other.ko", arguments)
    core.wait_until(vm, lambda: vm.read(f"{_OTHER}/transition") == "0\n")


def _remove_other(vm):
    vm.write(f"{_OTHER}/enabled", "0")
    core.wait_until(vm, lambda: vm.run(f"test -e {_OTHER}").status != 0)
    core.wait_until(vm, lambda: vm.read("/sys/module/other_livepatch/refcnt") == "0\n")
    vm.run("rmmod other_livepatch", check=True)
