# SPDX-License-Identifier: GPL-2.0 OR MIT
"""What a model stands for: `Code: FILE: FUNCTION...` in its first comment.

A function that has gone, or has another name, makes the model one of other code.
"""

import re
from pathlib import Path

_REFERENCE = re.compile(r"^ \* Code: (\S+): (\S.*)$", re.MULTILINE)


def references(text):
    """(file, function) for each."""
    return [(file, name) for file, names in _REFERENCE.findall(text) for name in names.split()]


def _defines(file, name):
    text = Path(file).read_text()
    if Path(file).suffix == ".rs":
        return re.search(rf"\bfn {name}\b", text)
    return re.search(rf"^\w[^;\n]*\b{name}\([^;]*\)\s*\{{", text, re.MULTILINE)


def missing(text, top):
    """The references that do not hold, or a complaint that there is none."""
    found = references(text)
    if not found:
        return ["no line `Code:`"]
    return [f"{file}: {name}()" for file, name in found
            if not (Path(top) / file).exists() or not _defines(Path(top) / file, name)]
