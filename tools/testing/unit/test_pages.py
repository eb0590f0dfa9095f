# SPDX-License-Identifier: GPL-2.0
"""What a page shows is compared with the sources."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

_TOOLS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TOOLS / folder) for folder in ("lib", "build")]

import pages  # noqa: E402

_SOURCE = """\
// SPDX-License-Identifier: GPL-2.0

use one;

fn two() {
    three();

    four();
}
"""
_PAGE = """\
Words.

.. code-block:: rust
   :caption: a.rs

   use one;

More words:

.. code-block:: rust
   :caption: a.rs

   fn two() {
       three();

       four();
   }

.. code-block:: console

   # not of a file
"""


class Shown(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        (self.top / "a.rs").write_text(_SOURCE)
        self.enterContext(mock.patch.object(pages.project, "TOP", self.top))

    def test_the_whole_file_in_parts(self):
        self.assertEqual(pages.differences(_PAGE, ["a.rs"]), [])

    def test_a_part_that_is_left_out(self):
        page = _PAGE.replace("   use one;\n", "   fn two() {\n")
        self.assertIn("does not show it as it is", *pages.differences(page, ["a.rs"]))
        self.assertEqual(pages.differences(page), [])

    def test_a_line_that_is_not_there(self):
        page = _PAGE.replace("four", "five")
        self.assertIn("has no such lines", *pages.differences(page))
        self.assertTrue(pages.differences(page, ["a.rs"]))

    def test_nothing_is_shown(self):
        self.assertEqual(pages.differences("Words.\n", ["a.rs"]), ["a.rs: nothing is shown"])
        self.assertEqual(pages.differences("Words.\n", parts=["a.rs"]), ["a.rs: nothing is shown"])

    def test_other_options_do_not_hide_a_block(self):
        page = _PAGE.replace("   :caption:", "   :emphasize-lines: 1\n   :caption:")
        self.assertEqual(pages.shown(page), pages.shown(_PAGE))

    def test_dead_links(self):
        readme = self.top / "README.md"
        readme.write_text("[a](a.rs#two) [b](b.rs) [c](https://example.org/c)")
        self.assertEqual(pages.dead_links(readme), ["b.rs"])


if __name__ == "__main__":
    unittest.main()
