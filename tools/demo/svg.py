#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""svg.py FILE COLUMNS: the text of a terminal on standard input, with its colours, as an SVG."""

import io
import re
import sys

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

# A picture in a document must not load anything.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
_LICENSE = "<!-- SPDX-License-Identifier: GPL-2.0 -->\n"


def main():
    path, columns = sys.argv[1], int(sys.argv[2])
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True,
                      legacy_windows=False)
    console.print(Text.from_ansi(sys.stdin.read().rstrip("\n")))
    svg = console.export_svg(title="a Debian 13 with a virtual machine at work", theme=MONOKAI,
                             code_format=_FORMAT, unique_id="session")
    with open(path, "w", encoding="utf-8") as out:
        out.write(_LICENSE + "\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main()
