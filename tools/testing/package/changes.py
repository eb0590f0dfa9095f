# SPDX-License-Identifier: GPL-2.0
"""What differs in a guest's file system, packages and kernel between two moments."""

# What apt, dpkg and the machine itself write for any package, and what the tests put there.
_ANYWAY = ("/var/log", "/var/cache", "/var/backups", "/var/lib/apt", "/var/lib/dpkg",
           "/var/lib/systemd", "/var/tmp", "/root", "/tmp", "/run", "/proc", "/sys", "/dev",
           "/usr/lib/modules/*/modules.*")
_INDEX = "cd /usr/lib/modules && sha256sum */modules.*"
_KERNEL = ("ls /sys/kernel/livepatch; cut -d' ' -f1 /proc/modules | grep mmu_notifier;"
           " cat /sys/kernel/tracing/enabled_functions; true")


def state(vm, places="/"):
    """The guest's state, of its files those in `places`, as a set of lines."""
    left_out = " -o ".join(f"-path '{path}'" for path in _ANYWAY)
    told = "-printf '%p %y %m %U:%G %l ' \\( -type f -printf '%s %T@\\n' -o -printf '\\n' \\)"
    files = vm.run(f"find {places} -xdev \\( {left_out} \\) -prune -o {told}", timeout=300,
                   check=True).output
    # An index of modules that is made anew has the same content.
    index = vm.run(_INDEX, timeout=120, check=True).output
    packages = vm.run("dpkg-query -W -f '${Package} ${Version} ${Status}\\n'", check=True).output
    return set((files + index + packages + vm.run(_KERNEL, check=True).output).splitlines())


def between(before, after):
    """What has come and gone, one line each."""
    return [f"- {line}" for line in sorted(before - after)] + \
           [f"+ {line}" for line in sorted(after - before)]
