# SPDX-License-Identifier: GPL-2.0
"""The files of the core that need nothing but Rust's own library: their tests, on the host."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import project


class Pure(unittest.TestCase):
    def _passes(self, name, tests):
        project.BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=project.BUILD) as folder:
            program = Path(folder) / name
            project.inside(["rustc", "--edition", "2021", "-C", "overflow-checks=on", "--test",
                            project.TOP / f"{name}.rs", "-o", program], check=True)
            done = project.inside([program], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn(f"{tests} passed", done.stdout)

    def test_lock(self):
        self._passes("lock", 5)

    def test_smallest(self):
        self._passes("smallest", 4)
