#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Draws the charts and the table of Documentation/performance from build/results/bench.json."""

import json
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools/lib"), str(TOP / "tools/bench")]

import charts  # noqa: E402
import project  # noqa: E402
from figures import number  # noqa: E402

OUT = TOP / "Documentation/performance"
JSON = project.RESULTS / "bench.json"
_HOOKS = ("start_end", "flush_young", "test_young")


def _bars(figure, others):
    """The bars of a figure; a call by way of livepatch stands beside the one without."""
    if figure["params"].get("path") == "livepatch":
        return None
    bars = {"C": figure["c"], "Rust": figure["rust"], "floor": figure["floor"]}
    if figure["params"].get("path") == "direct":
        twin = {**figure["params"], "path": "livepatch"}
        bars["Rust by livepatch"] = next(
            other["rust"] for other in others
            if other["name"] == figure["name"] and other["params"] == twin)
    return bars


def _chart(found, title, unit, wanted, label):
    chosen = [figure for figure in found if wanted(figure)]
    groups = [(label(figure), bars) for figure in chosen if (bars := _bars(figure, chosen))]
    return charts.chart(title, unit, groups) if groups else None


def _drawn(found):
    """{name: chart}; None for a chart of which nothing was measured."""
    def params(figure):
        return figure["params"]

    counted = [figure for figure in found if figure["method"] != "native"]
    native = [figure for figure in found if figure["method"] == "native"]

    return {
        "native": _chart(
            [f for f in native if f["c"] < 1000], "Native speed", "ns",
            lambda f: True,
            lambda f: f"{f['name']}, {params(f)['subscriptions']}" if "subscriptions" in params(f)
            else f"{params(f)['intervals']} intervals, overlapping: {params(f)['overlapping']}"),
        "hooks": _chart(
            sorted(counted, key=lambda f: f["name"] not in _HOOKS or _HOOKS.index(f["name"])),
            "A call of each hook, with plain subscriptions", "instructions",
            lambda f: f["name"] in _HOOKS and "subscriptions" in params(f)
            and params(f)["path"] != "inline",
            lambda f: f"{f['name']}, {params(f)['subscriptions']}"),
        "intervals": _chart(
            counted, "start + end, with interval subscriptions", "instructions",
            lambda f: f["name"] == "start_end" and "intervals" in params(f),
            lambda f: f"{params(f)['intervals']}, overlapping: {params(f)['overlapping']}"),
        "registration": _chart(
            found, "Registration by the number of VMAs", "instructions",
            lambda f: f["name"] == "register" and params(f)["registration"] == "second",
            lambda f: f"{params(f)['vmas']} {params(f)['kind']}"
            + (", memory short" if "memory" in params(f) else "")),
        "latency": _chart(
            found, "The end of a subscription, and of a process that has one", "microseconds",
            lambda f: f["name"] == "latency",
            lambda f: " ".join(params(f)[key] for key in ("of", "others", "value"))),
        "throughput": _chart(
            found, "Processes that register at once, on a processor each", "registrations/s",
            lambda f: f["name"] == "throughput",
            lambda f: f"{params(f)['processes']}, {params(f)['files']} files"),
        "kvm": _chart(
            found, "Virtual machines", "instructions and waiting",
            lambda f: f["name"].startswith("kvm_") and f["unit"].startswith("instr"),
            lambda f: f["name"].removeprefix("kvm_") + (" of its process" * bool(params(f)))),
    }


_COLUMNS = ("figure", "parameters", "unit", "C", "Rust", "ratio", "floor", "spread")


def _row(figure):
    params = ", ".join(f"{name} {value}" for name, value in figure["params"].items()) or "-"
    ratio = "-" if figure["ratio"] is None else f"{figure['ratio']:.3f}"
    return (figure["name"], params, figure["unit"], number(figure["c"]), number(figure["rust"]),
            ratio, number(figure["floor"]), f"{figure['spread']:.1%}")


def table(found):
    """A simple table of reStructuredText."""
    rows = [_COLUMNS, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def write(path=JSON, out=OUT):
    """Writes charts and table; returns their paths."""
    measured = json.loads(path.read_text())
    found = measured["figures"]
    out.mkdir(parents=True, exist_ok=True)
    texts = {f"{name}.svg": text for name, text in _drawn(found).items() if text}
    about = ", ".join(f"{name} {measured[name]}" for name in ("kernel", "core", "rounds"))
    texts["table.txt"] = (f".. Made by tools/bench/report.py from bench.json.\n\n"
                          f"Measured: {about}.\n\n{table(found)}")
    for name, text in texts.items():
        (out / name).write_text(text)
    return [out / name for name in texts]


if __name__ == "__main__":
    for written in write(*map(Path, sys.argv[1:])):
        print(f"  {written}")
