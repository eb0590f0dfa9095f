# SPDX-License-Identifier: GPL-2.0
"""The core's files in a guest's debugfs."""

FOLDER = "/sys/kernel/debug/mmu_notifier"


def rows(vm, name):
    """The lines of a file as dictionaries; the last field may hold blanks."""
    first, *lines = vm.read(f"{FOLDER}/{name}").splitlines()
    fields = first.split(" ")
    found = []
    for line in lines:
        values = line.split(" ", len(fields) - 1)
        assert len(values) == len(fields), f"{name}: {len(fields)} fields are named: {line}"
        found.append(dict(zip(fields, values)))
    return found


def subscriptions(vm, pid):
    """The subscriptions of a process, as {(kind, start): row}."""
    return {(row["kind"], row["start"]): row for row in rows(vm, "subscriptions")
            if row["pid"] == str(pid)}


def totals(vm):
    """The sums by name."""
    return {row["name"]: row["value"] for row in rows(vm, "totals")}
