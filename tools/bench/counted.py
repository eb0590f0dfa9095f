# SPDX-License-Identifier: GPL-2.0
"""Figures in instructions: one processor, whose clock counts them."""

import bench_programs
from turns import Work

INSTRUCTIONS = "instructions"
_METHOD = "icount, 1 CPU"
# The clock goes on while nothing is to be done.
_WITH_WAITING = "instructions and waiting"

_KINDS = ("anonymous", "file", "shared")
# By the number of VMAs, how often to register once the state of the address space is there.
_TIMES = {10: 5, 1000: 3, 60000: 3}
# Short of memory, the work grows with the square of the number of locks.
_TIMES_SHORT = {10: 5, 1000: 3, 10000: 1}
# The module's parameter with which it registers as if memory were short.
_SHORT = "mm_lock_searched=1"


def _processes(vmas):
    """In how many processes to look: a tick or another task weighs on a short operation."""
    return 5 if vmas <= 1000 else 1


def guest(built):
    """The guest to count in, as arguments for one."""
    return {**built, "modules": ["kvm-amd", *built["modules"]], "cpus": 1, "memory": "6G",
            "counted": True}


def prepare(vm):
    vm.write("/proc/sys/vm/max_map_count", "1000000")
    # What the boot has left to do in the background; time that is idled away costs next to none.
    vm.run("sleep 60", timeout=300, check=True)


def _hooks(vm, who, table):
    table.take(who, bench_programs.run(vm, "hooks"), INSTRUCTIONS,
               f"{_METHOD}, the shortest of 21 batches")


def _register(vm, who, table):
    for kind in _KINDS:
        for count, times in _TIMES.items():
            said = bench_programs.run(vm, f"registration {kind} {count} {times}",
                                      repeat=_processes(count))
            method = f"{_METHOD}, the median of a few in new processes for each run"
            table.take(who, said.only("register"), INSTRUCTIONS, method)
            table.take(who, said.only("unregister"), _WITH_WAITING, method)


def _register_short_of_memory(vm, who, table):
    for count, times in _TIMES_SHORT.items():
        said = bench_programs.run(vm, f"registration anonymous {count} {times}",
                                  repeat=_processes(count))
        table.take(who, said.only("register").with_param("memory", "short"), INSTRUCTIONS,
                   f"{_METHOD}, the median of a few in new processes for each run, {_SHORT}")


def _flavours(vm, _, table):
    for key, numbers in bench_programs.run(vm, "flavours").flavour.items():
        waits = key.name.startswith("synchronize")
        unit = "bytes" if key.name == "sizeof" else _WITH_WAITING if waits else INSTRUCTIONS
        table.add("-", bench_programs.Key(f"srcu_{key.name}", key.params), numbers[0], unit,
                  _METHOD)


def _kvm(vm, who, table):
    table.take(who, bench_programs.run(vm, "kvm stopped 5"), _WITH_WAITING,
               f"{_METHOD}, the median of 5 in each run")


WORKS = {"hooks": Work(_hooks), "register": Work(_register), "kvm": Work(_kvm),
         "short": Work(_register_short_of_memory, _SHORT),
         "flavours": Work(_flavours, any_core=True)}
