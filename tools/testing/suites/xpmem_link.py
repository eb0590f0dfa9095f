# SPDX-License-Identifier: GPL-2.0
"""XPMEM with a link that takes time and loses messages: who waits for it, and who dies meanwhile."""

import sys
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / folder) for folder in (
    "selftests/mmu_notifier", "takeover", "upstream", "../build")]

import cores  # noqa: E402
import notifier_tests  # noqa: E402
import samples  # noqa: E402

TITLE = "XPMEM across a slow link and a lossy one"
ORDER = 37

# Long enough to see who waits, and short enough for thousands of messages.
_SLOW = ["xpmem_link"]
_LINKS = {"slow": ("link_delay_us=500000", _SLOW),
          "lossy": ("link_delay_us=200 link_loss_percent=20",
                    ["xpmem_attach", "xpmem_lifetime", "xpmem_storm", "fuzz_xpmem"])}


def run(check):
    programs = notifier_tests.built_in("xpmem")
    programs |= {name: path.with_name(name)
                 for path in list(programs.values()) for name in _SLOW}
    module = samples.built()["xpmem"]
    with check.guest("link", programs={f"/bin/{name}": path for name, path in programs.items()},
                     files={"/lib/modules/xpmem.ko": module}, modules=["zram"]) as vm:
        notifier_tests.prepare(vm)
        cores.on_each(vm, lambda core: _series(check, vm, core))
        check.count_takeovers(1)


def _series(check, vm, core):
    for link, (parameters, programs) in _LINKS.items():
        vm.insmod("/lib/modules/xpmem.ko", parameters)
        for program in programs:
            notifier_tests.run(check, vm, program, core, f"{link}.")
        with check.test(f"{link}.unloads", core):
            vm.run("rmmod xpmem", check=True)
