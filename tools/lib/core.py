# SPDX-License-Identifier: GPL-2.0
"""Hands the MMU notifiers of a guest's kernel over to Rust, and back to C.

What is in charge is read from livepatch's own entries in sysfs, not from the module.
"""

import re
import time

import project
from guest_job import GuestError

NAME = "mmu_notifier_rust"
IN_GUEST = f"/lib/modules/{NAME}.ko"
# What the kernel's memory management and its drivers call of the MMU-notifier core.
CORE_FUNCTIONS = """
    __mmu_notifier_release __mmu_notifier_clear_flush_young __mmu_notifier_clear_young
    __mmu_notifier_test_young __mmu_notifier_invalidate_range_start
    __mmu_notifier_invalidate_range_end __mmu_notifier_arch_invalidate_secondary_tlbs
    __mmu_notifier_subscriptions_destroy mmu_notifier_register __mmu_notifier_register
    mmu_notifier_unregister mmu_notifier_get_locked mmu_notifier_put mmu_notifier_synchronize
    mmu_interval_notifier_insert mmu_interval_notifier_insert_locked
    mmu_interval_notifier_remove mmu_interval_read_begin
""".split()
FUNCTIONS = len(CORE_FUNCTIONS)

_PATCHES = "/sys/kernel/livepatch"
_PATCH = f"{_PATCHES}/{NAME}"
_MODE = f"/sys/module/{NAME}/parameters/mode"
_POLL = 0.05
# Stragglers are signalled only after 15 s; a task asleep in a callback can take longer.
_TIMEOUT = 120


def take_over(vm, arguments="", module=project.MODULE, timeout=_TIMEOUT):
    """Loads the module and waits until Rust serves alone, in native mode; returns the seconds."""
    if vm.run(f"test -e {IN_GUEST}").status != 0:
        vm.put(module, IN_GUEST)
    begin = time.monotonic()
    vm.insmod(IN_GUEST, arguments)
    wait_for(vm, "rust", timeout)
    mode = vm.read(_MODE).strip()
    if mode != "native":
        raise GuestError(f"{vm.name}: Rust serves, but in {mode} mode")
    seconds = time.monotonic() - begin
    check_functions(vm)
    return seconds


def hand_back(vm, timeout=_TIMEOUT):
    """Disables the livepatch, waits until it is gone, unloads the module; returns the seconds."""
    begin = time.monotonic()
    vm.write(f"{_PATCH}/enabled", "0")
    wait_for(vm, "c", timeout)
    unload(vm)
    return time.monotonic() - begin


def unload(vm):
    """Unloads the module, whose livepatch is gone."""
    # livepatch drops its reference to the module just after its directory.
    wait_until(vm, lambda: vm.read(f"/sys/module/{NAME}/refcnt") == "0\n")
    vm.run(f"rmmod {NAME}", check=True)


def switchable(vm):
    """Whether the guest's kernel can be live-patched; if not, it keeps to the core built in."""
    return vm.run(f"test -d {_PATCHES}").status == 0


def built_in(vm):
    """The core that the guest's kernel was built with, by its own configuration."""
    chosen = vm.run("zcat /proc/config.gz | grep -q ^CONFIG_MMU_NOTIFIER_RUST=y").status == 0
    return "rust" if chosen else "c"


def serving(vm):
    """Who serves the notifiers: "c", "rust", or "both" while tasks are being moved over."""
    if not switchable(vm):
        return built_in(vm)
    state = vm.run(f"cd {_PATCH} && cat enabled transition vmlinux/patched 2>&1").output
    if re.fullmatch(r"([01]\n){3}", state):
        return {"1\n0\n1\n": "rust", "0\n0\n0\n": "c"}.get(state, "both")
    # Only what is not there at all, or is not there any more, redirects nothing.
    if NAME in vm.run(f"ls {_PATCHES}", check=True).output.split():
        raise GuestError(f"{vm.name}: {_PATCH} does not tell who serves:\n{state}")
    return "c"


def patched_functions(vm):
    """The functions that livepatch redirects to the module, sorted."""
    names = vm.run(f"ls {_PATCH}/vmlinux").output.split() if serving(vm) == "rust" else []
    return sorted(name.partition(",")[0] for name in names if "," in name)


def check_functions(vm):
    """Raises unless livepatch redirects the core's functions, and no others."""
    names = patched_functions(vm)
    wrong = sorted({*names} ^ {*CORE_FUNCTIONS})
    if wrong or len(names) != FUNCTIONS:
        raise GuestError(f"{vm.name}: livepatch redirects {len(names)} functions; missing, or not "
                         f"the core's: {' '.join(wrong) or 'none'}")


def wait_for(vm, core, timeout=_TIMEOUT):
    """Waits until `core` serves alone."""
    if core == "c":
        wait_until(vm, lambda: vm.run(f"test -e {_PATCH}").status != 0, timeout)
    else:
        wait_until(vm, lambda: serving(vm) == core, timeout)


def wait_until(vm, reached, timeout=_TIMEOUT):
    """Waits for a change that a livepatch transition brings."""
    deadline = time.monotonic() + timeout
    while not reached():
        if time.monotonic() > deadline:
            raise GuestError(f"{vm.name}: no change within {timeout} s; tasks not moved yet:\n"
                             f"{stragglers(vm)}")
        time.sleep(_POLL)


def stragglers(vm):
    """The tasks that hold a transition open, with their stacks."""
    return vm.run(f'target=$(cat {_PATCH}/enabled); for task in /proc/[0-9]*/task/[0-9]*; do '
                  '[ "$(cat $task/patch_state)" = "$target" ] || '
                  '{ echo "$task $(cat $task/comm)"; cat $task/stack; }; done 2>/dev/null').output
