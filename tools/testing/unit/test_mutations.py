# SPDX-License-Identifier: GPL-2.0
"""Every core that is wrong on purpose: each of its edits still finds its one place."""

import tomllib
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]


def edits():
    """(file, name, edit) of all of them."""
    for path in sorted((TOP / "tools/testing").rglob("*.toml")):
        for name, entry in tomllib.loads(path.read_text()).items():
            if isinstance(entry, dict):
                yield from ((path.name, name, edit) for edit in entry.get("edits", ()))


class Edits(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreater(len(list(edits())), 70)

    def test_each_has_one_place(self):
        for file, name, edit in edits():
            with self.subTest(f"{file}: {name}"):
                text = (TOP / edit["file"]).read_text()
                self.assertEqual(1, text.count(edit["search"]), edit["search"])


if __name__ == "__main__":
    unittest.main()
