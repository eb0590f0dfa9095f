# SPDX-License-Identifier: GPL-2.0
"""Reads what upstream's test programs print: the Test Anything Protocol, as kselftest speaks it."""

import re

_LINE = re.compile(r"^(?P<verdict>ok|not ok) \d+ (?P<rest>.*)$", re.MULTILINE)
_PLAN = re.compile(r"^1\.\.(\d+)\b", re.MULTILINE)
_DIRECTIVE = re.compile(r"\s*# (?P<word>SKIP|XFAIL|XPASS)\b", re.IGNORECASE)


class Malformed(Exception):
    """The output is not a whole TAP document."""


def results(output):
    """Returns "pass", "fail" or "skip" for every test by its name, in order."""
    found = {}
    for line in _LINE.finditer(output):
        directive = _DIRECTIVE.search(line["rest"])
        name = line["rest"][:directive.start()] if directive else line["rest"]
        name = name.strip().removeprefix("- ")
        if name in found:
            raise Malformed(f"{name} is reported twice")
        if directive and directive["word"].upper() == "SKIP":
            found[name] = "skip"
        else:
            found[name] = "pass" if line["verdict"] == "ok" else "fail"
    plan = _PLAN.search(output)
    if plan is None or int(plan[1]) != len(found):
        raise Malformed(f"{len(found)} tests reported, {plan[1] if plan else 'none'} planned")
    return found


def verdicts(output):
    """Returns "pass", "fail", "skip" or "xfail" by name of what was reported, whole or not.

    The second test of a name is called "name (2)". When the plan says otherwise than what came,
    that is one more verdict, by the name "plan".
    """
    found, seen = {}, {}
    for line in _LINE.finditer(output):
        directive = _DIRECTIVE.search(line["rest"])
        word = directive["word"].lower() if directive else ""
        name = line["rest"][:directive.start()] if word else line["rest"]
        if word == "skip" and not name.strip():
            name = line["rest"][directive.end():]
        name = " ".join(name.strip().removeprefix("- ").split())
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        verdict = "pass" if line["verdict"] == "ok" else "fail"
        found[name] = word if word in ("skip", "xfail") else verdict
    plan = _PLAN.search(output)
    if plan and int(plan[1]) != len(found):
        found["plan"] = f"{len(found)} of {plan[1]}"
    return found


def counts(verdicts):
    """Says how many of each, in words."""
    verdicts = list(verdicts)
    return ", ".join(f"{verdicts.count(word)} {word}" for word in ("pass", "skip", "fail"))
