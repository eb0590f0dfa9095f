# SPDX-License-Identifier: GPL-2.0
"""Builds the module of the interface crate's examples, and judges those that must not compile."""

import re
import sys
from pathlib import Path

import project

sys.path.insert(0, str(project.TOP / "tools/build"))

import doc  # noqa: E402
import generate  # noqa: E402
import kbuild  # noqa: E402
import lock  # noqa: E402

NAME = "mmu_notifier_doctests"

_HERE = Path(__file__).resolve().parent
_FENCE = re.compile(r"^\s*//[/!] ?```(?P<attributes>.*)$")
_COMMENT = re.compile(r"^\s*//[/!] ?(?P<text>.*)$")
_MUST_FAIL = re.compile(r"compile_fail((?:,E\d{4})+)")
_ERROR = re.compile(r"^error(?:\[(E\d{4})\])?: (?!aborting due to )(.*)$", re.MULTILINE)
_RUNNING = re.compile(r"^running (\d+) tests?$", re.MULTILINE)
# What the module says of an example that it ran, and before of why it failed.
_VERDICT = re.compile(rf"^(?:\[[^]]*\] )+{NAME}: "
                      r"(?:(ok|not ok) \d+ (\S+) \(.*\)|# (.*)|1\.\.(\d+))$", re.MULTILINE)


class Malformed(Exception):
    """What rustdoc or the module said cannot be understood."""


class Doctests:
    """The built module, and the examples of both kinds."""

    def __init__(self, folder):
        self._folder = folder
        self.module = folder / f"{NAME}.ko"
        self.log = (folder / "examples.log").read_text()
        found = generate.examples(self.log)
        announced = _RUNNING.search(self.log)
        if announced is None or int(announced[1]) != len(found):
            raise Malformed(f"rustdoc did not test {len(found)} examples:\n{self.log[-2000:]}")
        self.to_run = [example for example in found if example.kind == "compile"]
        self.to_fail = [example for example in found if example.kind != "compile"]

    def refused(self, example):
        """Returns the error codes by which the compiler refused the example.

        Raises AssertionError when it did not, or not for the reasons stated and for these only.
        """
        marked = _MUST_FAIL.fullmatch(_attributes(example))
        assert marked, f"marked `{_attributes(example)}`, not compile_fail,E and a number"
        stated = marked[1].strip(",").split(",")
        [said] = self._folder.glob(f"examples/{example.function}*.stderr")
        errors = _ERROR.findall(said.read_text())
        assert errors, "it compiles"
        others = [f"{code or 'error'}: {text}" for code, text in errors if code not in stated]
        assert not others, f"instead of {' '.join(stated)} the compiler says {'; '.join(others)}"
        assert example.verdict == "ok", f"{example.verdict}, see examples.log"
        return " ".join(stated)


def built():
    """Returns the Doctests, made up to date first."""
    kernel = kbuild.target()
    out = project.BUILD / "interface" / kernel.release
    copy, log = out / "kbuild", out / "build.log"
    with lock.held("building the interface's examples"):
        copy.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        text = (_HERE / "Kbuild").read_text()
        kbuild.sync(copy, doc.crate() | {Path("doctests/Kbuild"): text})
        kbuild.make(kernel, copy / "doctests", log, arguments=[f"TOOLS={_HERE}"])
    tests = Doctests(copy / "doctests")
    for example in tests.to_run:
        marked = _attributes(example)
        if marked not in ("", "rust"):
            raise Malformed(f"{example.place}: no examples are marked `{marked}` here")
    return tests


def verdicts(log):
    """What the module said in the kernel log: {example: (verdict, reason)}."""
    found, reasons, planned = {}, [], None
    for verdict, name, reason, plan in _VERDICT.findall(log):
        if plan:
            planned = int(plan)
        elif reason:
            reasons.append(reason)
        else:
            found[name] = ("pass" if verdict == "ok" else "fail", "; ".join(reasons))
            reasons = []
    if planned != len(found):
        raise Malformed(f"{len(found)} examples ran, {planned} were to")
    return found


def heading(example):
    """What the documentation says right before the example."""
    words = []
    for line in reversed((project.TOP / example.file).read_text().splitlines()[:example.line - 1]):
        comment = _COMMENT.match(line)
        text = comment["text"].strip() if comment else ""
        if text and not text.startswith("```"):
            words.insert(0, text)
        elif words or text or not comment:
            break
    return " ".join(words)


def _attributes(example):
    line = (project.TOP / example.file).read_text().splitlines()[example.line - 1]
    return _FENCE.match(line)["attributes"].strip()
