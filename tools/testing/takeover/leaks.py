# SPDX-License-Identifier: GPL-2.0
"""What a guest's kernel holds when its load is gone, before and after takeovers."""

import re

# Without debugging, a slab cache keeps free objects apart for each processor, counts them as used,
# and allocates the lists it keeps them in. Poisoning also makes a use after free show. Accounting
# of kernel memory to control groups allocates for every slab page, at times of its own.
CMDLINE = ("slab_nomerge slab_debug=F;FZP,kmalloc-*,mm_struct,task_struct "
           "cgroup.memory=nokmem")

_CACHES = ("mm_struct", "task_struct", "kmalloc-*")
_MODULES = ("kvm", "kvm_amd", "test_hmm")
# One a processor may still be borrowed by an idle task.
_BORROWED = 2
_PAGE_KB = 4


def footprint(vm):
    """Returns what can leak as {what: how much}."""
    sizes = _objects(vm)
    memory = dict(re.findall(r"(\w+): +(\d+) kB", vm.read("/proc/meminfo")))
    sizes |= {name: int(memory[name]) for name in ("VmallocUsed", "Percpu")}
    for module in _MODULES:
        references = vm.run(f"cat /sys/module/{module}/refcnt").output.strip()
        sizes[f"references to {module}"] = int(references or 0)
    return sizes


def grown(before, after, takeovers):
    """Returns what grew by more than an idle kernel varies by, as text.

    What each takeover leaves behind grows by its number; an idle kernel's own comings and goings
    stay far below half of that. A process or a reference that is left behind shows by itself.
    """
    limits = {"mm_struct": _BORROWED, "VmallocUsed": takeovers * _PAGE_KB, "Percpu": takeovers}
    return [f"{what}: {before.get(what, 0)} before, {amount} after"
            for what, amount in after.items()
            if amount - before.get(what, 0) > limits.get(what, _varying(what, takeovers))]


def _varying(what, takeovers):
    return 0 if what.startswith("references") else takeovers // 2


def _objects(vm):
    vm.settle()
    text = vm.run(f"cd /sys/kernel/slab && for cache in {' '.join(_CACHES)}; do "
                  "echo 1 > $cache/shrink; echo $cache $(cat $cache/objects); done",
                  check=True).output
    return {line.split()[0]: int(line.split()[1]) for line in text.splitlines()}
