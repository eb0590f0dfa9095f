# SPDX-License-Identifier: GPL-2.0
"""What a guest's kernel holds when its load is gone, before and after takeovers."""

import re

CMDLINE = "slab_nomerge"

_REFERENCED = ("kvm", "kvm_amd", "test_hmm")
# One a processor may still be borrowed by an idle task.
_BORROWED = 2
_PAGE_KB = 4


def footprint(vm):
    """Returns what can leak as {what: how much}."""
    sizes = {cache: vm.slab(cache) for cache in ("mm_struct", "task_struct")}
    sizes["kmalloc"] = _kmalloc_objects(vm)
    memory = dict(re.findall(r"(\w+): +(\d+) kB", vm.read("/proc/meminfo")))
    sizes |= {name: int(memory[name]) for name in ("VmallocUsed", "Percpu")}
    for module in _REFERENCED:
        references = vm.run(f"cat /sys/module/{module}/refcnt").output.strip()
        sizes[f"references to {module}"] = int(references or 0)
    return sizes


def grown(before, after, takeovers):
    """Returns what grew by more than an idle kernel varies by, as text.

    What each takeover, or each process of the load, leaves behind grows by more than a takeover's
    worth; an idle kernel's own comings and goings do not.
    """
    limits = {"mm_struct": _BORROWED, "task_struct": takeovers // 2, "kmalloc": takeovers,
              "VmallocUsed": takeovers * _PAGE_KB, "Percpu": takeovers * _PAGE_KB}
    return [f"{what}: {before[what]} before, {after[what]} after" for what in before
            if after[what] - before[what] > limits.get(what, 0)]


def _kmalloc_objects(vm):
    vm.settle()
    text = vm.run("for cache in /sys/kernel/slab/kmalloc*; do "
                  "echo 1 > $cache/shrink; cat $cache/objects; done", check=True).output
    return sum(int(count) for count in re.findall(r"^\d+", text, re.MULTILINE))
