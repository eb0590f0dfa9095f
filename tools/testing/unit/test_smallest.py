# SPDX-License-Identifier: GPL-2.0
"""smallest.rs, whose tests stand at its own bottom, run on the host."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import project


class Smallest(unittest.TestCase):
    def test_its_own_tests(self):
        project.BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=project.BUILD) as folder:
            program = Path(folder) / "smallest"
            project.inside(["rustc", "--edition", "2021", "-C", "overflow-checks=on", "--test",
                            project.TOP / "smallest.rs", "-o", program], check=True)
            done = project.inside([program], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn("1 passed", done.stdout)
