# SPDX-License-Identifier: GPL-2.0
"""Compares how a program ended with C and with Rust in charge, test by test and call by call."""

import tap

# What one core is told of that often, and the other never, is no chance.
_OFTEN = 32
_CORES = ("c", "rust")


def problems(program, outcomes):
    """Returns what is wrong, in words; nothing when both ended alike and as they must."""
    found = []
    for core, other in (_CORES, _CORES[::-1]):
        found += [f"{core}: {wrong}" for wrong in _wrong(program, outcomes[core])]
        found += [f"{core}: {count} {name}" for name, count in outcomes[core].counts.items()
                  if name.endswith(f".from_{other}")]
    return found + list(_differences(outcomes["c"], outcomes["rust"]))


def verdict(program, outcome):
    """Whether it ended as it must: "pass", "skip" when all of it was skipped, or "fail"."""
    if set(outcome.verdicts.values()) == {"skip"}:
        return "skip"
    return "fail" if any(_wrong(program, outcome)) else "pass"


def _wrong(program, outcome):
    expected = dict(program.fails)
    for name, verdict in outcome.verdicts.items():
        if verdict not in ("pass", "skip", "xfail") and name not in expected:
            yield f"{name}: {verdict}"
    if not outcome.verdicts:
        yield "not run"
    if set(outcome.verdicts.values()) == {"skip"}:
        return
    missing = [name for name in program.calls if not outcome.counts.get(name)]
    if missing:
        yield f"never called for {' '.join(missing)}"
    for name, count in outcome.counts.items():
        if name.startswith("wrong."):
            yield f"{count} {name.removeprefix('wrong.')}"
    yield from _unpaired(program, outcome.counts)


def _unpaired(program, counts):
    starts, ends = (counts.get(f"invalidate_range_{what}", 0) for what in ("start", "end"))
    unended = counts.get("unended", 0)
    if unended and not program.races_with_exit:
        yield f"{unended} starts without an end"
    if starts != ends + unended:
        yield f"{starts} starts, {ends} ends, {unended} without an end"


def _differences(c, rust):
    for name in c.verdicts | rust.verdicts:
        one, other = (outcome.verdicts.get(name, "missing") for outcome in (c, rust))
        if one != other:
            yield f"{name}: {one} with C, {other} with Rust"
    for name in sorted(c.counts | rust.counts):
        one, other = (outcome.counts.get(name, 0) for outcome in (c, rust))
        if name.startswith(("start.", "invalidate.")) and not min(one, other) and \
                max(one, other) >= _OFTEN:
            yield f"{name}: {one} with C, {other} with Rust"


def table(results):
    """Returns the lines of a table of [(program, outcomes, problems)]."""
    rows = [("program", "C: pass skip fail", "Rust: pass skip fail", "calls C", "calls Rust", "")]
    for program, outcomes, wrong in results:
        rows.append((program.name, *(_numbers(outcomes[core]) for core in _CORES),
                     *(_calls(program, outcomes[core]) for core in _CORES),
                     "DIFFERENT OR WRONG" if wrong else _remark(program, outcomes)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows]


def _numbers(outcome):
    """Of the tests, or of the program where it tells of none."""
    verdicts = [verdict for name, verdict in outcome.verdicts.items() if name != "program"]
    verdicts = verdicts or list(outcome.verdicts.values())
    passed = sum(verdict in ("pass", "xfail") for verdict in verdicts)
    skipped = verdicts.count("skip")
    return f"{passed:4} {skipped:4} {len(verdicts) - passed - skipped:4}"


def _calls(program, outcome):
    if program.attached:
        count = sum(outcome.counts.get(name, 0) for name in _HOOKS)
        return f"{count:9}"
    counted = [outcome.counts.get(name, 0) for name in program.calls]
    return f"{sum(counted):9}" if counted else ""


_HOOKS = ("release", "clear_flush_young", "clear_young", "test_young", "invalidate_range_start",
          "invalidate_range_end", "arch_invalidate_secondary_tlbs", "invalidate")


def _remark(program, outcomes):
    if program.unsteady:
        passes = ["{} of {}".format(outcomes[core].passes.get("program", 0), program.attempts)
                  for core in _CORES]
        return f"passes {passes[0]} times with C, {passes[1]} with Rust"
    return "; ".join(f"{name}: {why}" for name, why in program.fails)


def summary(outcome):
    """How it ended, in a line."""
    failed = [name for name, verdict in outcome.verdicts.items()
              if verdict not in ("pass", "skip", "xfail")]
    counts = tap.counts(outcome.verdicts.values())
    return ": ".join(filter(None, (counts, " ".join(failed), failed and outcome.last_words)))
