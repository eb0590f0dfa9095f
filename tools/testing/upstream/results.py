# SPDX-License-Identifier: GPL-2.0
"""What is known of how the programs ended: upstream.json, and a table in upstream.txt beside it."""

import json

import comparison
import groups
import project
import runner

FILE = project.RESULTS / "upstream.json"


def remember(results):
    """Takes [(program, outcomes, problems)], and keeps what is known of others on this kernel."""
    kernel = project.kernel().release
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known = known["programs"] if known.get("kernel") == kernel else {}
    known |= {program.name: {core: outcome.as_dict() for core, outcome in outcomes.items()}
              for program, outcomes, _ in results}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps({"kernel": kernel, "programs": known}, indent=1) + "\n")
    FILE.with_suffix(".txt").write_text(
        "\n".join([f"kernel {kernel}", "", *comparison.table(_in_order(known))]) + "\n")


def _in_order(known):
    for program in (run for kind in groups.GROUPS for run in kind.runs):
        if program.name in known:
            both = {core: runner.Outcome(**outcome)
                    for core, outcome in known[program.name].items()}
            yield program, both, comparison.problems(program, both)
