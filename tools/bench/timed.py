# SPDX-License-Identifier: GPL-2.0
"""Figures in time: two processors that run in parallel. Only ratios in one run mean anything."""

import programs
from figures import percentile
from turns import Work

_METHOD = "TCG, 2 CPUs, wall clock"
_PERCENTILES = {"p50": lambda values: percentile(values, 50),
                "p99": lambda values: percentile(values, 99)}
_IDLE, _STUCK, _STUCK_MS = 50, 20, 10000
_VMAS, _THROUGHPUT_MS = 1000, 1500


def guest(built):
    """The guest to time in, as arguments for one."""
    return {**built, "modules": ["kvm-amd", *built["modules"]], "cpus": 2}


def prepare(vm):
    # KVM's static keys shall not flip with each virtual machine.
    vm.hold_vm()


def _latency(vm, who, table):
    table.take(who, programs.run(vm, f"latency idle {_IDLE}"), "ns",
               f"{_METHOD}, of {_IDLE} in each run", _PERCENTILES)


def _stuck(vm, who, table):
    table.take(who, programs.run(vm, f"latency stuck {_STUCK} {_STUCK_MS}"), "ns",
               f"{_METHOD}, of {_STUCK} in each run, another process in a callback for "
               f"{_STUCK_MS // 1000} s", _PERCENTILES)


def _throughput(vm, who, table):
    said = programs.run(vm, f"throughput {_VMAS} {_THROUGHPUT_MS}")
    table.take(who, said.only("throughput"), "registrations/s",
               f"{_METHOD}, processes of {_VMAS} VMAs")
    table.take(who, said.only("scaling"), "times one process",
               f"{_METHOD}, processes of {_VMAS} VMAs")


def _kvm(vm, who, table):
    table.take(who, programs.run(vm, "kvm running 10").only("kvm_fork"), "ns",
               f"{_METHOD}, the median of 10 in each run")


WORKS = {"throughput": Work(_throughput), "latency": Work(_latency), "stuck": Work(_stuck),
         "kvm_running": Work(_kvm)}
