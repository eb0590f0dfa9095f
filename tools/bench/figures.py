# SPDX-License-Identifier: GPL-2.0
"""From the numbers of several runs to figures: C, Rust, their ratio, and how far runs differ."""

import json
import statistics
from collections import defaultdict

import bench_programs


def percentile(values, percent):
    """The smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def spread(values):
    """The distance of the extremes in relation to the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


class Table:
    """Collects one number for each key, core and run."""

    def __init__(self):
        self._runs = defaultdict(lambda: defaultdict(list))
        self._how = {}

    def add(self, core, key, number, unit, method):
        """`core` is "c", "rust", "floor", or "-" for what no core takes part in."""
        self._runs[key][core].append(number)
        self._how[key] = unit, method

    def take(self, core, said, unit, method, summaries=None, scale=1):
        """Takes what a program said; of what it said often, each of `summaries` is a figure."""
        for key, numbers in said.sample.items():
            for key, number in _summed_up(key, numbers, summaries):
                self.add(core, key, number * scale, unit, method)
        for key, numbers in said.floor.items():
            for key, number in _summed_up(key, numbers, summaries):
                self.add("floor", key, number * scale, unit, method)

    def figures(self):
        """All figures, as they are written down."""
        found = [self._figure(key, cores) for key, cores in self._runs.items()
                 if set(cores) != {"floor"}]
        return found + list(_redirections(found))

    def _figure(self, key, cores):
        unit, method = self._how[key]
        measured = {core: values for core, values in cores.items() if core != "floor"}
        middle = {core: round(statistics.median(values), 2) for core, values in measured.items()}
        ratio = middle["rust"] / middle["c"] if middle.get("c") and "rust" in middle else None
        return {
            "name": key.name, "params": dict(key.params), "unit": unit, "method": method,
            "c": middle.get("c", middle.get("-")), "rust": middle.get("rust"),
            "ratio": None if ratio is None else round(ratio, 4),
            "floor": self._floor(key),
            "spread": round(max(map(spread, measured.values())), 4),
            "runs": min(map(len, measured.values())),
            "values": {core: [round(value, 2) for value in values]
                       for core, values in measured.items()},
        }

    def _floor(self, key):
        """A floor is the same by whatever path a core is called."""
        bare = bench_programs.Key(key.name, tuple(pair for pair in key.params if pair[0] != "path"))
        values = self._runs.get(bare, {}).get("floor")
        return round(statistics.median(values), 2) if values else None


def _summed_up(key, numbers, summaries):
    if summaries is None:
        yield key, statistics.median(numbers)
        return
    for name, summary in summaries.items():
        yield bench_programs.Key(key.name, (*key.params, ("value", name))), summary(numbers)


def _redirections(found):
    """What a call by way of livepatch costs more than one of the core's own function."""
    ways = {}
    for figure in found:
        params = dict(figure["params"])
        ways[figure["name"], params.pop("path", None), tuple(params.items())] = figure
    for (name, path, params), figure in ways.items():
        direct = ways.get((name, "direct", params))
        if path != "livepatch" or not direct or params != (("subscriptions", "1"),):
            continue
        more = {core: [through - straight for through, straight
                       in zip(figure["values"][core], direct["values"][core])]
                for core in ("c", "rust")}
        yield {**figure, "name": "redirection", "params": {"hook": name, **dict(params)},
               "c": statistics.median(more["c"]), "rust": statistics.median(more["rust"]),
               "ratio": None, "floor": None, "values": more,
               "spread": round(spread(more["rust"]), 4)}


def write(path, about, figures):
    """Writes the figures as JSON, aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n")
    new.rename(path)


def line(figure):
    """A figure in one line for the terminal."""
    params = " ".join(f"{name}={value}" for name, value in figure["params"].items())
    what = f"{figure['name']} {params}"
    ratio = "" if figure["ratio"] is None else f"{figure['ratio']:8.3f}"
    return (f"{what:62} {number(figure['c']):>12} {number(figure['rust']):>12} {ratio:>8} "
            f"{number(figure['floor']):>10} {figure['spread']:7.2%} {figure['unit']}")


HEADING = f"{'':62} {'C':>12} {'Rust':>12} {'ratio':>8} {'floor':>10} {'spread':>7}"


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
