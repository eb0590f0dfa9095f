# SPDX-License-Identifier: GPL-2.0
"""The core's models: spin looks at every state, litmus tests at every ordering.

Each has broken variants that must be found out, and names the functions that it stands for, which
must exist. The checker of litmus tests has to agree with all that the kernel states of its own.
See Documentation/models.rst.
"""

import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_MODELS = Path(__file__).resolve().parents[2] / "models"
sys.path[:0] = [str(_MODELS), str(_MODELS / "lkmm")]

import variants  # noqa: E402
import checker  # noqa: E402
import litmus  # noqa: E402
import project  # noqa: E402
import references  # noqa: E402
import spin  # noqa: E402

TITLE = "models: the life cycle by spin, the orderings by the kernel's memory model"
ORDER = 5

# An own place for the state spaces of two at a time is what a small machine has.
_AT_A_TIME = 2


def run(check):
    check.log_dir.mkdir(parents=True, exist_ok=True)
    paths = [*sorted((_MODELS / "litmus").glob("*.litmus")),
             *sorted((_MODELS / "promela").glob("*.pml"))]
    with check.test("code", "-"):
        gone = [f"{path.name}: {reference}" for path in paths
                for reference in references.missing(path.read_text(), project.TOP)]
        assert not gone, "; ".join(gone)
    model = project.kernel().source / "tools" / "memory-model"
    judge = checker.Checker(model)
    _kernels_own(check, judge, project.kernel().source)
    for path in paths:
        if path.suffix == ".litmus":
            with check.test(f"litmus.{path.stem}", "-"):
                _litmus(check.log_dir, judge, path)
    _herd7(check, model)
    _spin(check, [spin.Model(path) for path in paths if path.suffix == ".pml"])


def _kernels_own(check, judge, source):
    begin = time.monotonic()
    tests = [*sorted((source / "tools/memory-model/litmus-tests").glob("*.litmus")),
             *sorted((source / "Documentation/litmus-tests").rglob("*.litmus"))]
    wrong = []
    for path in tests:
        text = path.read_text()
        expected = litmus.parse(text, judge.macros).expected
        found = judge.judge(text).observation
        if found.upper() != expected.upper():
            wrong.append(f"{path.stem}: {found}, expected {expected}")
    # Thirty-odd are in every kernel that this core is for: fewer means that they were not found.
    if len(tests) < 30:
        wrong.append(f"only {len(tests)} tests in {source}")
    check.result("lkmm.kernels_own_tests", "-", "fail" if wrong else "pass",
                 time.monotonic() - begin, "; ".join(wrong) or f"{len(tests)} tests")


def _litmus(folder, judge, path):
    text = path.read_text()
    expected = litmus.parse(text, judge.macros).expected
    verdict = judge.judge(text)
    assert verdict.observation == expected, f"{verdict.observation}, expected {expected}"
    assert not verdict.flags, f"flags: {verdict.flags}"
    broken = list(variants.of(path.stem, text))
    assert broken, "no broken variant"
    for name, variant in broken:
        (folder / f"{name}.litmus").write_text(variant)
        found = judge.judge(variant).observation
        assert found != expected, f"{name}: {found} as well"


def _herd7(check, model):
    """The judge of reference, where there is one."""
    if not shutil.which("herd7"):
        check.result("herd7", "-", "skip", note="herd7 is not on the PATH of this machine")
        return
    for path in sorted((_MODELS / "litmus").glob("*.litmus")):
        with check.test(f"herd7.{path.stem}", "-"):
            files = [path, *sorted(check.log_dir.glob(f"{path.stem}+line-*.litmus"))]
            found = [_observation(model, file) for file in files]
            assert found[0] == "Never", found[0]
            assert {*found[1:]} <= {"Sometimes", "Always"}, f"{files}: {found}"


def _observation(model, path):
    done = subprocess.run(["herd7", "-conf", "linux-kernel.cfg", path], cwd=model, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    said = re.search(r"^Observation \S+ (\w+)", done.stdout, re.MULTILINE)
    return said[1] if said else done.stdout[:200]


def _spin(check, models):
    jobs = []
    for model in models:
        assert model.broken, f"{model.name} has no broken variant"
        jobs += [(model, claim, None) for claim in model.claims]
        jobs += [(model, claim, macro) for macro, claim in model.broken]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for name, outcome, seconds, note in pool.map(lambda job: _verify(check, *job), jobs):
            check.result(name, "-", outcome, seconds, note)


def _verify(check, model, claim, macro):
    name = f"spin.{model.name}.{f'broken.{macro}.' if macro else ''}{claim}"
    begin = time.monotonic()
    try:
        found = model.verify(check.log_dir / name, claim, macro)
    except Exception as error:
        outcome, note = "fail", " ".join(str(error).split())[:300]
    else:
        outcome = "pass" if bool(found.errors) == bool(macro) else "fail"
        note = f"{found.states} states{': ' if found.what else ''}{found.what}"
        if macro and not found.errors:
            note = f"nothing was found wrong in {found.states} states"
    return name, outcome, time.monotonic() - begin, note
