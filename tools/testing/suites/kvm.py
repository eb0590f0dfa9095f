# SPDX-License-Identifier: GPL-2.0
"""Upstream's KVM selftests with C and then with Rust in charge: both must end alike.

One program with one vCPU at a time: QEMU on several host threads goes wrong when two processors
run nested guests at once. On the stock kernel `mmu_stress_test -c 2` then ended with a vCPU that
stopped without a word, or with the end of the whole machine; with thread=single it passes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "upstream"))

import cores  # noqa: E402
import upstream  # noqa: E402

TITLE = "upstream's KVM selftests, with C and with Rust"
ORDER = 50
TIMEOUT = 1800

# For mmu_stress_test and kvm_page_table_test, in pages of 2 MiB.
_HUGE_PAGES = 512
# Only to end what hangs.
_PROGRAM_TIMEOUT = 900
_SKIPPED = 4

_RUNS = {
    "kvm_page_table_test": "kvm_page_table_test -b 64M",
    "kvm_page_table_test.thp": "kvm_page_table_test -b 64M -s anonymous_thp",
    "kvm_page_table_test.shmem": "kvm_page_table_test -b 64M -s shmem",
    "kvm_page_table_test.hugetlb": "kvm_page_table_test -b 64M -s anonymous_hugetlb_2mb",
    "demand_paging_test.missing": "demand_paging_test -b 4M -u MISSING",
    "demand_paging_test.minor": "demand_paging_test -b 4M -u MINOR -s shmem",
    "demand_paging_test.thp": "demand_paging_test -b 64M -s anonymous_thp",
    "memslot_modification_stress_test": "memslot_modification_stress_test",
    "set_memory_region_test": "set_memory_region_test",
    # The least that it can be told: one slot of 1 GiB. Huge pages spare it 256 thousand faults,
    # and leave those in which the write protection of each 4 KiB is checked.
    "mmu_stress_test": "mmu_stress_test -c 1 -m 1 -s 1 -H",
}


def run(check):
    programs = upstream.built(check.note).kvm
    on_board = {f"/bin/{name}": path for name, path in programs.items()}
    with check.guest("stock", programs=on_board, modules=["kvm-amd"]) as vm:
        vm.write("/proc/sys/vm/nr_hugepages", str(_HUGE_PAGES))
        reserved = int(vm.read("/proc/sys/vm/nr_hugepages"))
        assert reserved == _HUGE_PAGES, f"only {reserved} huge pages of {_HUGE_PAGES}"
        vm.hold_vm()
        statuses = cores.on_each(vm, lambda core: _series(check, vm, core))
    for name, status in statuses["c"].items():
        same = status == statuses["rust"][name]
        check.result(f"{name}.same", "-", "pass" if same else "fail", 0,
                     "" if same else f"status {status} with C, {statuses['rust'][name]} with Rust")


def _series(check, vm, core):
    """Runs every program and returns their exit statuses by name."""
    statuses = {}
    for name, command in _RUNS.items():
        # The whole path: the programs read their own ELF file by it.
        end = vm.run(f"exec /bin/{command}", _PROGRAM_TIMEOUT)
        statuses[name] = end.status
        outcome = {0: "pass", _SKIPPED: "skip"}.get(end.status, "fail")
        note = "" if end.status == 0 else f"status {end.status}: {_last_words(end.output)}"
        check.result(name, core, outcome, end.seconds, note)
    return statuses


def _last_words(output):
    lines = [line.strip() for line in output.replace("\r", "\n").splitlines()]
    return " / ".join([line for line in lines if line and "rendezvoused" not in line][-4:])
