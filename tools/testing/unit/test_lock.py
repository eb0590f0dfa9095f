# SPDX-License-Identifier: GPL-2.0
"""The locks of a checkout: one at a time, and those who wait are told for whom."""

import contextlib
import io
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import lock
import project


class Locks(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        build = Path(scratch.name)
        self.path = build / ".run"
        self.enterContext(mock.patch.object(project, "BUILD", build))
        self.enterContext(mock.patch.object(lock, "_RUN", self.path))
        self.enterContext(mock.patch.object(lock, "_CHANGE", build / ".lock"))
        self.output = io.StringIO()
        self.enterContext(contextlib.redirect_stdout(self.output))
        self.told, self.entered = threading.Event(), threading.Event()
        self.enterContext(mock.patch.object(lock, "say", self.say))

    def say(self, text):
        print(text)
        self.told.set()

    def second(self):
        with lock.run("the second"):
            self.entered.set()

    def test_one_run_at_a_time(self):
        thread = threading.Thread(target=self.second)
        with lock.run("the first"):
            thread.start()
            self.assertTrue(self.told.wait(30))
            self.assertFalse(self.entered.is_set())
        thread.join()
        self.assertTrue(self.entered.is_set())
        self.assertIn("the first", self.output.getvalue())

    def test_who_waited_for_distclean_locks_the_new_file(self):
        thread = threading.Thread(target=self.second)
        with lock.run("distclean"):
            thread.start()
            self.assertTrue(self.told.wait(30))
            self.path.unlink()
        thread.join()
        self.assertIn("the second", self.path.read_text())

    def test_a_run_may_build(self):
        with lock.run("check"), lock.held("building"):
            self.assertFalse(self.told.is_set())


if __name__ == "__main__":
    unittest.main()
