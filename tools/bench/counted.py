# SPDX-License-Identifier: GPL-2.0
"""Figures in instructions: one processor whose clock counts them."""

import core
import programs

INSTRUCTIONS = "instructions"
_METHOD = "icount, 1 CPU"


def hooks(vm, who, table):
    table.take(who, programs.run(vm, "hooks"), INSTRUCTIONS, f"{_METHOD}, the shortest of 21 batches")


_KINDS = ("anonymous", "file", "shared")
_VMAS = (10, 1000, 60000)


def register(vm, who, table):
    for kind in _KINDS:
        for count in _VMAS:
            table.take(who, programs.run(vm, f"registration {kind} {count}"), INSTRUCTIONS,
                       f"{_METHOD}, one call in a new process")


def flavours(vm, _, table):
    said = programs.run(vm, "flavours")
    for key, numbers in said.flavour.items():
        unit = "bytes" if key.name == "sizeof" else INSTRUCTIONS
        table.add("-", programs.Key(f"srcu_{key.name}", key.params), numbers[0], unit, _METHOD)


WORK = {"hooks": hooks, "register": register, "flavours": flavours}


def guest(built):
    """The guest to count in, as arguments for one."""
    return {**built, "cpus": 1, "memory": "6G", "counted": True}


def prepare(vm):
    vm.write("/proc/sys/vm/max_map_count", "1000000")
    # What the boot has left to do in the background; time that is idled away costs next to none.
    vm.run("sleep 60", timeout=300, check=True)


def rounds(vm, names, count, table, module, say):
    """C and Rust in turns, each with all the work of `names`."""
    for number in range(1, count + 1):
        for who in ("c", "rust"):
            if who == "rust":
                core.take_over(vm, module=module)
            assert core.serving(vm) == who
            for name in names:
                say(f"counting: round {number} of {count}, {who}, {name}")
                WORK[name](vm, who, table)
            assert core.serving(vm) == who
        core.hand_back(vm)
