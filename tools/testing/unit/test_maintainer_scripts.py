# SPDX-License-Identifier: GPL-2.0
"""The packages' maintainer scripts, in a folder that stands for the root of a system."""

import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import project

_SCRIPTS = project.TOP / "tools/package/debian"
_WORDS = {"@PACKAGE@": "the-package", "@MODULES@": "1.0", "#DEBHELPER#": ""}
_CONTAINED = {"ischroot": "exit 1", "systemd-detect-virt": "exit 0"}
_FREE = {"ischroot": "exit 1", "systemd-detect-virt": "exit 1"}
_BOOT = "etc/modules-load.d/mmu-notifier-rust.conf"


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._root = Path(folder.name)
        (self._root / "bin").mkdir()
        self._status("ffffffffffffffff")

    def _status(self, capabilities):
        self._file("proc/self/status", f"Name:\tsh\nCapEff:\t{capabilities}\n")

    def _file(self, name, content=""):
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def _loaded(self):
        self._file("sys/module/mmu_notifier_rust/initstate", "live\n")

    def _run(self, script, *arguments, **programs):
        """Runs it with these programs, each a line of shell, and keeps what was called."""
        calls = self._root / "calls"
        calls.write_text("")
        for name, does in ({"mmu-notifier": "exit 0", "depmod": "exit 0"} | programs).items():
            program = self._file(f"bin/{name}",
                                 f'#!/bin/sh\necho "{name} $*" >> {calls}\n{does}\n')
            program.chmod(0o755)
        text = (_SCRIPTS / script).read_text()
        for word, value in _WORDS.items():
            text = text.replace(word, value)
        for folder in "sys", "proc", "etc", "usr":
            text = text.replace(f"/{folder}/", f"{self._root}/{folder}/")
        # A session of its own: a signal to the group is to meet nobody else.
        done = subprocess.run(["sh", self._file("script", text), *arguments], text=True,
                              capture_output=True, start_new_session=True,
                              env=os.environ | {"PATH": f"{self._root}/bin:{os.environ['PATH']}"})
        called = [line for line in calls.read_text().splitlines() if not line.startswith(
            ("ischroot", "systemd-detect-virt"))]
        return done, called


class Removal(Scripts):
    def test_hands_back(self):
        self._loaded()
        done, called = self._run("prerm", "remove", **_FREE)
        self.assertEqual(0, done.returncode, done)
        self.assertEqual(["mmu-notifier disable --timeout 60"], called)

    def test_interrupted(self):
        for number in signal.SIGINT, signal.SIGHUP, signal.SIGTERM:
            with self.subTest(number):
                self._loaded()
                self._file("sys/kernel/livepatch/mmu_notifier_rust/enabled")
                # As the command does: it notes the signal that the whole group gets.
                interrupted = (f'[ "$1" = enable ] || {{ trap "exit 3" {number.name[3:]}; '
                               f'kill -{number.name[3:]} 0; exit 9; }}')
                done, called = self._run("prerm", "remove", **_FREE,
                                         **{"mmu-notifier": interrupted})
                self.assertEqual(1, done.returncode, done)
                self.assertEqual("mmu-notifier enable", called[-1])
                self.assertIn("the-package is not removed", done.stderr)

    def test_another_ones_kernel(self):
        self._loaded()
        no_modules = f"{~(1 << 16) & 0xffffffffff:016x}"
        for programs, capabilities in ((_CONTAINED, "f" * 16), (_FREE, no_modules)):
            with self.subTest(capabilities):
                self._status(capabilities)
                done, called = self._run("prerm", "remove", **programs)
                self.assertEqual((0, []), (done.returncode, called), done)
                self.assertIn("left to the host", done.stderr)

    def test_not_loaded(self):
        done, called = self._run("prerm", "remove", **_FREE)
        self.assertEqual((0, []), (done.returncode, called), done)


class Choice(Scripts):
    def test_outlives_a_removal(self):
        choice = self._file(_BOOT)
        for script in "prerm", "postrm":
            self._run(script, "remove", **_FREE)
        self.assertTrue(choice.exists())
        self.assertEqual(0, self._run("postrm", "purge")[0].returncode)
        self.assertFalse(choice.exists())

    def test_is_the_other_packages_too(self):
        choice = self._file(_BOOT)
        self._file("usr/sbin/mmu-notifier")
        self.assertEqual(0, self._run("postrm", "purge")[0].returncode)
        self.assertTrue(choice.exists())


class Index(Scripts):
    def _kernel(self, release, index=None, module=False):
        folder = f"usr/lib/modules/{release}"
        self._file(f"{folder}/modules.order")
        if index is not None:
            self._file(f"{folder}/modules.dep", index)
        if module:
            self._file(f"{folder}/updates/mmu_notifier_rust.ko")

    def test_is_made_for_what_has_changed(self):
        ours = "updates/mmu_notifier_rust.ko:\n"
        self._kernel("1.0", "kernel/a.ko:\n", module=True)
        # What an interrupted depmod has left may name it and still be torn.
        self._kernel("1.1", ours, module=True)
        self._kernel("2.0", ours)
        self._kernel("3.0", "kernel/a.ko:\nupdates/dkms/mmu_notifier_rust.ko:\n")
        self._kernel("4.0", module=True)
        done, called = self._run("postinst", "configure", "0.1")
        self.assertEqual(0, done.returncode, done)
        self.assertEqual(["depmod 1.0", "depmod 1.1", "depmod 2.0"], called)


if __name__ == "__main__":
    unittest.main()
