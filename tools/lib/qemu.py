# SPDX-License-Identifier: GPL-2.0
"""The command line of QEMU for a test guest."""

# The log buffer holds a whole run; an oops leaves the guest alive so that its log can be fetched,
# a panic ends QEMU.
# The kernel tests its timers against each other at boot; on a busy host the emulated ones fail it.
_KERNEL_ARGUMENTS = ("console=ttyS0 no_timer_check panic=-1 log_buf_len=16M printk.devkmsg=on "
                     "sysctl.kernel.hung_task_timeout_secs=60 sysctl.kernel.hung_task_warnings=-1 "
                     "sysctl.kernel.sysrq=1")

# One nanosecond of the guest's clocks is one instruction, and nothing from outside comes in: not
# the time of day, not a random number.
_COUNTED = ["-icount", "shift=0,sleep=off", "-seed", "1",
            "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
_COUNTED_ARGUMENTS = "norandmaps nokaslr randomize_kstack_offset=off"


def command(vmlinuz, initramfs, console, monitor, cpus, memory, cpu, cmdline, parallel,
            counted=False, disk=None):
    """Returns argv; the agent's channel is QEMU's standard input and output.

    `monitor` is the number of an open socket for QEMU's own commands. Without `parallel` the
    processors take turns in one host thread. With `counted` time is the number of instructions.
    `disk` is the image of a disk, which the guest writes to.
    """
    if counted:
        parallel, cmdline = False, f"{_COUNTED_ARGUMENTS} {cmdline}"
    return [
        "qemu-system-x86_64",
        "-machine", "q35,hpet=off",
        "-accel", f"tcg,thread={'multi' if parallel else 'single'}",
        "-cpu", cpu,
        *(_COUNTED if counted else []),
        "-smp", str(cpus),
        "-m", memory,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-chardev", f"file,id=console,path={console}",
        "-serial", "chardev:console",
        "-chardev", "stdio,id=agent,signal=off",
        "-chardev", f"socket,id=monitor,fd={monitor}",
        "-mon", "chardev=monitor",
        "-device", "virtio-serial-pci",
        "-device", "virtserialport,chardev=agent,nr=1",
        *(["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"] if disk else []),
        "-kernel", str(vmlinuz),
        "-initrd", str(initramfs),
        "-append", f"{_KERNEL_ARGUMENTS} {cmdline}".strip(),
    ]
