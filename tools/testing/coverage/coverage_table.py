#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes the table of call sites in Documentation/coverage.rst from build/results/coverage.json."""

import json
import re
import sys
from pathlib import Path

_TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(_TOP / "tools/lib"), str(Path(__file__).resolve().parent)]

import project  # noqa: E402
from outcome import Row  # noqa: E402

_PAGE = _TOP / "Documentation/coverage.rst"
_BEGIN = ".. The tables are written by tools/testing/coverage/coverage_table.py.\n"
_REACHED = """
.. list-table:: Sites that tests reach
   :header-rows: 1
   :widths: 35 15 30 12 8

   * - site
     - hook
     - tests
     - events
     - times
"""
_UNREACHED = """
.. list-table:: Sites that nothing reaches on the stock kernel
   :header-rows: 1
   :widths: 40 15 45

   * - site
     - hook
     - why
"""


def text(rows):
    """Returns the tables for the rows of an outcome."""
    tables = _REACHED
    for row in rows:
        if row.reachable:
            events = ", ".join(row.events) or "—"
            tables += _line(f"``{row.site}``", row.hook, row.program, events, str(row.count))
    tables += _UNREACHED
    for row in rows:
        if not row.reachable:
            tables += _line(f"``{row.site}``", row.hook, row.reason)
    return tables


def _line(*cells):
    return "   * - " + "\n     - ".join(cells) + "\n"


def stale(rows):
    """Returns what makes the tables of the page stale, or nothing; counts may differ."""
    have, want = (_without_counts(tables) for tables in (_PAGE.read_text(), text(rows)))
    missing = [line for line in want if line not in have]
    gone = [line for line in have if line not in want]
    if not missing and not gone:
        return ""
    return f"{len(missing)} sites are not as Documentation/coverage.rst says: run " \
           "tools/testing/coverage/coverage_table.py"


def _without_counts(tables):
    """The site, the tests and the reason of each line."""
    found = re.findall(r"^   \* - ``(\S+)``\n     - (\S+)\n     - (.*)$", tables, re.M)
    return sorted(found)


def main():
    rows = [Row(**site | {"events": tuple(site["events"])})
            for site in json.loads((project.RESULTS / "coverage.json").read_text())["sites"]]
    head, found, _ = _PAGE.read_text().partition(_BEGIN)
    if not found:
        sys.exit(f"{_PAGE}: the line that the tables follow is missing")
    _PAGE.write_text(head + _BEGIN + text(rows))


if __name__ == "__main__":
    main()
