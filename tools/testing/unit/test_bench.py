# SPDX-License-Identifier: GPL-2.0
"""The figures of the bench follow from what its programs print."""

import json
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

_BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(_BENCH))

import charts  # noqa: E402
import figures  # noqa: E402
import bench_programs  # noqa: E402
import report  # noqa: E402


def _figures(*turns):
    """Figures of turns (core, what a program printed)."""
    table = figures.Table()
    for who, output in turns:
        table.take(who, bench_programs.Said.parsed(output), "instructions", "made up")
    return table.figures()


class Figures(unittest.TestCase):
    def test_median_ratio_and_spread(self):
        figure, = _figures(*(("c", f"sample x n=1 {value}") for value in (100, 110, 90)),
                           *(("rust", f"sample x n=1 {value}") for value in (150, 165, 150)))
        self.assertEqual((figure["c"], figure["rust"], figure["ratio"]), (100, 150, 1.5))
        self.assertEqual((figure["spread"], figure["runs"]), (0.2, 3))

    def test_a_floor_is_that_of_every_path_with_the_same_parameters(self):
        found = _figures(("c", "floor x n=1 7\nsample x n=1 path=direct 9\nsample x n=2 9"))
        self.assertEqual([figure["floor"] for figure in found], [7, None])

    def test_what_one_run_says_often_counts_once(self):
        figure, = _figures(("c", "sample x 1\nsample x 2\nsample x 300"))
        self.assertEqual((figure["c"], figure["runs"]), (2, 1))

    def test_the_price_of_the_redirection(self):
        said = "sample start_end subscriptions=1 path={} {}\n"
        found = _figures(("c", said.format("livepatch", 9) + said.format("direct", 9)),
                         ("rust", said.format("livepatch", 20) + said.format("direct", 12)))
        price, = (figure for figure in found if figure["name"] == "redirection")
        self.assertEqual((price["c"], price["rust"]), (0, 8))

    def test_percentiles_are_values_that_were_seen(self):
        self.assertEqual(figures.percentile(range(1, 101), 50), 50)
        self.assertEqual(figures.percentile(range(1, 101), 99), 99)
        self.assertEqual(figures.percentile([5, 3], 99), 5)


class Report(unittest.TestCase):
    def test_a_chart_is_well_formed_and_has_every_bar(self):
        chart = charts.chart("a < b", "ns", [("one", {"C": 1, "Rust": 1000, "floor": None})])
        root = xml.etree.ElementTree.fromstring(chart)
        bars = [e for e in root.iter() if e.get("height") == "11"]
        self.assertEqual(len(bars), 2)
        self.assertLess(float(bars[0].get("width")), float(bars[1].get("width")))

    def test_charts_and_table_are_written_alike_each_time(self):
        found = _figures(*((who, f"sample register vmas=1 kind=file registration=second {n}")
                           for who, n in (("c", 10), ("rust", 20))))
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder, "bench.json"), Path(folder, "out")
            figures.write(path, {"kernel": "k", "core": "c", "rounds": 1}, found)
            self.assertEqual(json.loads(path.read_text())["figures"], found)
            first = {p.name: p.read_text() for p in report.write(path, out)}
            again = {p.name: p.read_text() for p in report.write(path, out)}
        self.assertEqual(set(first), {"registration.svg", "table.txt"})
        self.assertEqual(first, again)
        self.assertIn("2.000", first["table.txt"])


if __name__ == "__main__":
    unittest.main()
