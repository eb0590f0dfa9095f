# SPDX-License-Identifier: GPL-2.0
"""Who serves the notifiers: never guessed from what cannot be read."""

import unittest
from types import SimpleNamespace

import core
from guest_job import GuestError


class Vm:
    """Answers the two commands that are asked."""

    name = "test"

    def __init__(self, state, patches=""):
        self._state, self._patches = state, patches

    def run(self, command, **_):
        return SimpleNamespace(status=0,
                               output=self._patches if command.startswith("ls ") else self._state)


class Serving(unittest.TestCase):
    def test_states(self):
        for state, who in (("1\n0\n1\n", "rust"), ("1\n1\n1\n", "both"), ("0\n1\n1\n", "both"),
                           ("0\n0\n0\n", "c")):
            self.assertEqual(core.serving(Vm(state, core.NAME)), who)

    def test_absent(self):
        self.assertEqual(core.serving(Vm("sh: cd: can't cd to x\n", "another\n")), "c")

    def test_gone_meanwhile(self):
        self.assertEqual(core.serving(Vm("0\ncat: can't open 'transition'\n")), "c")

    def test_not_told(self):
        for state in ("", "cat: transition: I/O error\n1\n0\n", "1\n1\n", "1 0 1 0\n"):
            with self.assertRaises(GuestError):
                core.serving(Vm(state, f"{core.NAME}\n"))


class BuiltIn(unittest.TestCase):
    """Without live patching the configuration tells."""

    def serving(self, chosen):
        def run(command, **_):
            return SimpleNamespace(status=0 if "config.gz" in command and chosen else 1, output="")

        return core.serving(SimpleNamespace(run=run))

    def test_both(self):
        self.assertEqual((self.serving(True), self.serving(False)), ("rust", "c"))


if __name__ == "__main__":
    unittest.main()
