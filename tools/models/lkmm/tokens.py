# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Words of a text, by a pattern whose groups are their kinds."""


def of(pattern, text, error):
    """Returns (kind, word) of each, and ("end", "") behind; what is "skip" is left out."""
    at, tokens = 0, []
    while at < len(text):
        match = pattern.match(text, at)
        if not match:
            raise error(f"cannot read {text[at:at + 30]!r}")
        at = match.end()
        if match.lastgroup != "skip":
            tokens.append((match.lastgroup, match.group()))
    return tokens + [("end", "")]
