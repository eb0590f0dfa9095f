# SPDX-License-Identifier: GPL-2.0
"""The corpus: the tests of the call sites, and how their records are compared."""

import tomllib
from pathlib import Path

import difference

_LIST = Path(__file__).resolve().with_name("corpus.toml")


def by_itself():
    """The ids of tests in which something goes on by itself."""
    return {*tomllib.loads(_LIST.read_text())}


def judge(name, c, rust, some_by_kinds):
    """Returns what is wrong with a test's two ends, as lines of text."""
    wrong = [f"with {which} {verdict}: {test}" for which, end in (("C", c), ("Rust", rust))
             for test, verdict in end.verdicts.items() if verdict != "pass"]
    if not c.record.events:
        wrong.append("nothing was told")
    if name in some_by_kinds:
        return wrong + difference.of_kinds(c.record, rust.record)
    return wrong + difference.of_program(c.record, rust.record)
