# SPDX-License-Identifier: GPL-2.0
"""Holds what the tests reached against what they and unreachable.toml say."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

_UNREACHABLE = Path(__file__).with_name("unreachable.toml")


@dataclass(frozen=True)
class Row:
    """A site in the outcome."""

    site: str
    hook: str
    reachable: bool
    reason: str
    program: str
    events: tuple
    count: int

    def as_json(self):
        return {"site": self.site, "hook": self.hook, "reachable": self.reachable,
                "reason": self.reason, "program": self.program, "events": list(self.events),
                "count": self.count}


def unreachable():
    """Returns {site: reason}, as declared."""
    return tomllib.loads(_UNREACHABLE.read_text())


def judge(sites, tests, seen, declared):
    """Returns the rows, and what is wrong as {site or test: complaint}.

    `seen` is {test id: {site id: Seen}}, `declared` {site id: reason}. A site is covered by the
    tests that say they reach it, and do.
    """
    wrong, rows = {}, []
    known = {site.id for site in sites}
    for test in tests:
        for site in test.reaches:
            if site not in known:
                wrong[test.id] = f"there is no site {site}"
            elif test.id in seen and site not in seen[test.id]:
                wrong[test.id] = f"does not reach {site}"
    for site in declared.keys() - known:
        wrong[site] = "declared unreachable, but there is no such site"
    for site in sites:
        by = [test.id for test in tests
              if site.id in test.reaches and site.id in seen.get(test.id, {})]
        calls = [found[site.id] for found in seen.values() if site.id in found]
        count = sum(call.count for call in calls)
        events = tuple(sorted({event for call in calls for event in call.events}))
        reason = site.absent or declared.get(site.id, "")
        rows.append(Row(site.id, site.hook, not reason, reason, " ".join(by), events, count))
        if reason and count:
            wrong[site.id] = f"declared unreachable, but called {count} times"
        elif site.absent and site.id in declared:
            wrong[site.id] = f"declared unreachable, but {site.absent}"
        elif not reason and not by:
            wrong[site.id] = ("called, but by no test that says so" if count
                              else "reached by no test")
    return rows, wrong


def write(rows, path):
    """Writes coverage.json."""
    path.write_text(json.dumps({"sites": [row.as_json() for row in rows]}, indent=1) + "\n")
