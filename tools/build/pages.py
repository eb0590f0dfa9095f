# SPDX-License-Identifier: GPL-2.0
"""The pages of Documentation/ by Sphinx, and whether they show what is in the sources."""

import re
import subprocess
import textwrap

import project

FOLDER = project.TOP / "Documentation"
# Code that a page shows of a file: its path, and the lines, which are indented.
_SHOWN = re.compile(r"^\.\. code-block:: \S+\n(?:   :(?!caption).*\n)*   :caption: (\S+)\n"
                    r"(?:   :.*\n)*\n((?:   .*\n|\n)+)", re.MULTILINE)
_LICENSE = re.compile(r"// SPDX-License-Identifier: .*\n\n")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def build(out):
    """Writes the pages to `out`; returns what Sphinx has to say, nothing if it is content."""
    done = project.inside(["sphinx-build", "-q", "-n", "-W", "--keep-going", "-E", "-b", "html",
                           "-d", out / ".doctrees", FOLDER, out], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout or ("Sphinx failed" if done.returncode else "")


def shown(page):
    """The code that a page shows, as {path of the file: [block]}."""
    found = {}
    for path, block in _SHOWN.findall(page):
        found.setdefault(path, []).append(textwrap.dedent(block).rstrip("\n"))
    return found


def differences(page, whole=(), parts=()):
    """What a page shows of files and is not in them.

    Of the files `whole` all is to be shown, from the first line on to the last; of those in
    `parts` something.
    """
    blocks = shown(page)
    wrong = [f"{path}: nothing is shown" for path in (*whole, *parts) if path not in blocks]
    for path, found in blocks.items():
        text = (project.TOP / path).read_text()
        if path in whole:
            if "\n\n".join(found) != _LICENSE.sub("", text, count=1).rstrip("\n"):
                wrong.append(f"{path}: the page does not show it as it is")
        else:
            wrong += [f"{path} has no such lines:\n{part}" for part in found if part not in text]
    return wrong


def markdown():
    """The Markdown files of the checkout; build/ holds whole kernels and is not entered."""
    folders = [path for path in project.TOP.iterdir() if path.is_dir() and path != project.BUILD]
    return sorted([*project.TOP.glob("*.md"),
                   *(path for folder in folders for path in folder.rglob("*.md"))])


def dead_links(path):
    """The links of a Markdown file to files that there are not."""
    return [link for link in _LINK.findall(path.read_text())
            if not (path.parent / link).exists()]
