# SPDX-License-Identifier: GPL-2.0
"""Bar charts as SVG: groups of horizontal bars on a logarithmic axis, each with its number."""

import math
from html import escape

from figures import number

_WIDTH, _LABELS, _RIGHT = 900, 250, 90
_BAR, _GAP, _TOP, _BOTTOM = 13, 10, 74, 30
_FONT = 'font-family="sans-serif"'
_COLOURS = {"C": "#5b7db1", "Rust": "#d9762b", "Rust by livepatch": "#f0bf94", "floor": "#b8b8b8"}


def chart(title, unit, groups):
    """Returns a chart of [(label, {series: value})]; a series that is None has no bar."""
    rows = [(label, [(name, bars[name]) for name in _COLOURS if bars.get(name) is not None])
            for label, bars in groups]
    values = [value for _, bars in rows for _, value in bars if value > 0]
    first = math.floor(math.log10(min(values)))
    last = max(math.ceil(math.log10(max(values))), first + 1)
    height = _TOP + sum(len(bars) * _BAR + _GAP for _, bars in rows) + _BOTTOM

    def position(value):
        share = (math.log10(max(value, 10 ** first)) - first) / (last - first)
        return _LABELS + share * (_WIDTH - _LABELS - _RIGHT)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
             f'width="{_WIDTH}" height="{height}" {_FONT} font-size="12">',
             f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
             _text(12, 24, title, 'font-size="16" font-weight="bold"'),
             *_legend({name for _, bars in rows for name, _ in bars}),
             *_grid(first, last, position, height, unit)]
    y = _TOP
    for label, bars in rows:
        middle = y + len(bars) * _BAR / 2 + 4
        parts.append(_text(_LABELS - 8, middle, label, 'text-anchor="end"'))
        for name, value in bars:
            end = position(value)
            parts.append(f'<rect x="{_LABELS}" y="{y + 1}" width="{max(end - _LABELS, 1):.1f}" '
                         f'height="{_BAR - 2}" fill="{_COLOURS[name]}"/>')
            parts.append(_text(round(end + 4, 1), y + _BAR - 3, number(value), 'font-size="10"'))
            y += _BAR
        y += _GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x, y, text, attributes=""):
    return f'<text x="{x}" y="{y}" {attributes}>{escape(text)}</text>'


def _legend(names):
    x = 12
    for name in _COLOURS:
        if name in names:
            yield f'<rect x="{x}" y="38" width="12" height="12" fill="{_COLOURS[name]}"/>'
            yield _text(x + 17, 49, name)
            x += 40 + 7 * len(name)


def _grid(first, last, position, height, unit):
    step = max(1, (last - first) // 8)
    for power in range(first, last + 1, step):
        x = round(position(10 ** power), 1)
        yield (f'<line x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{height - _BOTTOM}" '
               'stroke="#dddddd"/>')
        yield _text(x, height - _BOTTOM + 16, f"{10 ** power:,}",
                    'text-anchor="middle" font-size="10" fill="#555555"')
    yield _text(_WIDTH - 12, height - 2, f"{unit} (logarithmic)",
                'text-anchor="end" font-size="10" fill="#555555"')
