# SPDX-License-Identifier: GPL-2.0 OR MIT
"""The broken variants of a litmus test.

A line of the test that ends in `// broken: CODE`, or is followed by a line of that kind, has one:
CODE stands in its place, or nothing.
"""

import re

_MARK = re.compile(r"^(\s*)([^\n]*\S)\s*// broken:([^\n]*)$", re.MULTILINE)


def of(name, text):
    """(name, text) of each."""
    for mark in _MARK.finditer(text):
        indent, _, code = mark.groups()
        other = f"{name}+line-{text.count(chr(10), 0, mark.start(2)) + 1}"
        broken = text[:mark.start()] + indent + code.strip() + text[mark.end():]
        yield other, broken.replace(f"C {name}\n", f"C {other}\n", 1)
