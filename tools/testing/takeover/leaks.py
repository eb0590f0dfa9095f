# SPDX-License-Identifier: GPL-2.0
"""What a guest's kernel holds when its load is gone, before and after takeovers."""

import re

from initramfs import MODULES

# Without debugging, a slab cache keeps free objects apart for each processor, counts them as used,
# and allocates the lists it keeps them in. Poisoning also makes a use after free show. Accounting
# of kernel memory to control groups allocates for every slab page, at times of its own.
CMDLINE = ("slab_nomerge slab_debug=F;FZP,kmalloc-*,mm_struct,task_struct "
           "cgroup.memory=nokmem")

# What is handed to kfree_rcu() is freed up to five seconds later, and every file of sysfs that is
# closed hands over an object of kmalloc-96. Only the end of a slab cache waits for it: this
# module's unloading ends one.
FLUSHER = "minix"
_SHRINK = "/sys/kernel/slab/mm_struct/shrink"

_CACHES = re.compile(r"^(mm_struct|task_struct|kmalloc-\S+) +(\d+)", re.MULTILINE)
_MODULES = ("kvm", "kvm_amd", "test_hmm")
# What an mm outlives its process by: one a processor may still be borrowed by an idle task, and
# khugepaged and ksmd each hold on to the one they stopped in.
BORROWED = 4
_PAGE_KB = 4
# The allocator of per-CPU memory keeps up to four empty pages for each processor, at its leisure.
_PERCPU_KB = 2
_LOOKS = 3


def footprint(vm):
    """Returns what can leak as {what: how much}.

    What is leaked is there each time one looks, and what is only on its way may be gone the next
    time: the least of several looks.
    """
    looks = [_look(vm) for _ in range(_LOOKS)]
    return {what: min(look.get(what, 0) for look in looks) for what in looks[0]}


def grown(before, after, takeovers):
    """Returns what grew by more than an idle kernel varies by, as text.

    What each takeover leaves behind grows by its number; an idle kernel's own comings and goings
    stay far below half of that. A process or a reference that is left behind shows by itself.
    """
    limits = {"mm_struct": BORROWED, "VmallocUsed": takeovers * _PAGE_KB,
              "Percpu": takeovers * _PERCPU_KB}
    return [f"{what}: {before.get(what, 0)} before, {amount} after"
            for what, amount in after.items()
            if amount - before.get(what, 0) > limits.get(what, _varying(what, takeovers))]


def _varying(what, takeovers):
    return 0 if what.startswith("references") else takeovers // 2


def address_spaces(vm):
    """Returns how many mm_structs there are, as footprint() counts them."""
    return min(_objects(vm)["mm_struct"] for _ in range(_LOOKS))


def _look(vm):
    sizes = _objects(vm)
    memory = dict(re.findall(r"(\w+): +(\d+) kB", vm.read("/proc/meminfo")))
    sizes |= {name: int(memory[name]) for name in ("VmallocUsed", "Percpu")}
    for module in _MODULES:
        references = vm.run(f"cat /sys/module/{module}/refcnt").output.strip()
        sizes[f"references to {module}"] = int(references or 0)
    return sizes


def _objects(vm):
    vm.run(f"rmmod {FLUSHER} && insmod {MODULES}/{FLUSHER}.ko", check=True)
    vm.settle()
    # KASAN keeps what is freed, until a cache is asked for all that it can spare.
    vm.run(f"! test -e {_SHRINK} || echo 1 > {_SHRINK}", check=True)
    # One file, which is not sysfs's: to look must not allocate.
    return {cache: int(used) for cache, used in _CACHES.findall(vm.read("/proc/slabinfo"))}
