# SPDX-License-Identifier: GPL-2.0
"""The documentation: Sphinx and rustdoc have nothing to say, and its code is the sources'."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build"))

import doc  # noqa: E402
import pages  # noqa: E402
import project  # noqa: E402

TITLE = "the documentation: no warnings, and code that is the sources'"
ORDER = -1

# What of which files a page must show, all of it or parts.
_SHOWN = {"tutorial.rst": {
    "whole": ["samples/peek/peek.rs"],
    "parts": ["samples/peek/peek.h",
              "tools/testing/selftests/mmu_notifier/peek/peek_words.c"]}}


def run(check):
    with check.test("pages_and_interface", "-"):
        doc.built()
    with check.test("code_is_the_sources", "-"):
        wrong = [f"{page.name}: {what}" for page in sorted(pages.FOLDER.glob("*.rst"))
                 for what in pages.differences(page.read_text(), **_SHOWN.get(page.name, {}))]
        assert not wrong, "\n".join(wrong)
    with check.test("links", "-"):
        dead = {str(path.relative_to(project.TOP)): links for path in pages.markdown()
                if (links := pages.dead_links(path))}
        assert not dead, dead
