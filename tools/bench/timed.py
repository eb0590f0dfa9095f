# SPDX-License-Identifier: GPL-2.0
"""Figures in time: two processors that run in parallel. Only ratios in one run mean anything."""

import bench_programs
from figures import percentile
from turns import Work

_METHOD = "TCG, 2 CPUs, wall clock"
_PERCENTILES = {"p50": lambda values: percentile(values, 50),
                "p99": lambda values: percentile(values, 99)}
_IDLE, _STUCK, _STUCK_MS = 50, 20, 10000
_VMAS, _THROUGHPUT_MS = 1000, 300


def guest(built):
    """The guest to time in, as arguments for one."""
    return {**built, "modules": ["kvm-amd", *built["modules"]], "cpus": 2}


def prepare(vm):
    # KVM's static keys shall not flip with each virtual machine.
    vm.hold_vm()


def _latency(vm, who, table):
    table.take(who, bench_programs.run(vm, f"latency idle {_IDLE}"), "us",
               f"{_METHOD}, of {_IDLE} in each run", _PERCENTILES,
               scale=1e-3)


def _stuck(vm, who, table):
    table.take(who, bench_programs.run(vm, f"latency stuck {_STUCK} {_STUCK_MS}"), "us",
               f"{_METHOD}, of {_STUCK} in each run, another process in a callback for "
               f"{_STUCK_MS // 1000} s", _PERCENTILES,
               scale=1e-3)


def _throughput(vm, who, table):
    method = f"{_METHOD}, the median of 5 in each run, processes of {_VMAS} VMAs"
    said = bench_programs.run(vm, f"throughput {_VMAS} {_THROUGHPUT_MS}")
    table.take(who, said.only("throughput"), "registrations/s", method)
    table.take(who, said.only("scaling"), "times one process", method)


def _kvm(vm, who, table):
    table.take(who, bench_programs.run(vm, "kvm running 30").only("kvm_fork"), "us",
               f"{_METHOD}, the median of 30 in each run", scale=1e-3)


WORKS = {"throughput": Work(_throughput), "latency": Work(_latency), "stuck": Work(_stuck),
         "kvm_running": Work(_kvm)}
